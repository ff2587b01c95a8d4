import CWire
public import LociBase
public import LociModel

extension Message {
    /// The frames to be sent: the envelope, then the bulk frames, uncopied.
    /// - Throws: RESOURCE_EXHAUSTED if the frames are too many or one is too large to be sent.
    public func encoded() throws(LociError) -> [Bytes] {
        guard bulk.count < Limits.frames else {
            throw LociError(
                .resourceExhausted,
                "A message of \(bulk.count + 1) frames is over the limit of \(Limits.frames).")
        }
        for frame in bulk where frame.count > Limits.frameBytes {
            throw LociError(
                .resourceExhausted,
                "A frame of \(frame.count) bytes is over the limit of \(Limits.frameBytes).",
                advice: "Send fewer cells or points at once.")
        }
        let arena = Arena(limit: .max)
        let (kind, layout) = unsafe body.layout(in: arena)
        var content = unsafe ProtobufCBinaryData(len: 0, data: nil)
        if let layout = unsafe layout {
            unsafe content = arena.packed(layout)
        }
        guard unsafe content.len <= Envelope.bodyBytes else {
            throw LociError(
                .resourceExhausted,
                "A message body of \(unsafe content.len) bytes is over the limit.")
        }
        let envelope = unsafe arena.place(
            Loci__Envelope(
                base: ProtobufCMessage(), magic: Envelope.magic, version: LociVersion.wire,
                request_id: header.requestID, deadline_microseconds: header.deadlineMicroseconds,
                sender_incarnation: header.senderIncarnation,
                receiver_incarnation: header.receiverIncarnation, sequence: header.sequence,
                fence: header.fence, kind: kind, body: content, n_bulk_lengths: bulk.count,
                bulk_lengths: arena.array(bulk.map { UInt32($0.count) }), checksum: 0),
            loci__envelope__init)
        return [unsafe Envelope.sealed(envelope, in: arena, bulk: bulk)] + bulk
    }

    /// What the frames say, as far as that can be told without the catalog; `validated` judges
    /// whether it makes sense.
    public init(frames: [Bytes]) throws(WireError) {
        guard let first = frames.first, Envelope.isEnvelope(first) else {
            throw .notAnEnvelope
        }
        guard frames.count <= Limits.frames,
            frames.allSatisfy({ $0.count <= Limits.frameBytes })
        else { throw .malformed("There are too many frames, or one is too large.") }
        let bulk = Array(frames.dropFirst())
        let contentBytes = first.count - Envelope.sealBytes
        guard first.load(UInt16.self, at: contentBytes) == Envelope.sealTag,
            first.load(UInt64.self, at: contentBytes + 2)
                == Envelope.checksum(first.slice(0..<contentBytes), bulk: bulk)
        else { throw .checksum }

        let arena = Arena(limit: Limits.decodeArenaBytes)
        let unpacked = unsafe first.withUnsafeBytes { bytes in
            unsafe arena.unpack(
                bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                loci__envelope__unpack)
        }
        guard let envelope = unsafe unpacked else {
            throw .malformed("The envelope cannot be decoded.")
        }
        guard unsafe envelope.version == LociVersion.wire else {
            throw unsafe .wrongVersion(envelope.version)
        }
        let lengths = unsafe UnsafeBufferPointer(
            start: envelope.bulk_lengths, count: envelope.n_bulk_lengths)
        guard unsafe lengths.elementsEqual(bulk, by: { Int($0) == $1.count })
        else { throw .malformed("The bulk frames are not those that the envelope announces.") }
        var header = Header()
        header.requestID = unsafe envelope.request_id
        header.deadlineMicroseconds = unsafe envelope.deadline_microseconds
        header.senderIncarnation = unsafe envelope.sender_incarnation
        header.receiverIncarnation = unsafe envelope.receiver_incarnation
        header.sequence = unsafe envelope.sequence
        header.fence = unsafe envelope.fence
        let content = unsafe Content(data: envelope.body, arena: arena)
        do throws(LociError) {
            self.init(header, try unsafe Body(kind: envelope.kind, content), bulk: bulk)
        } catch {
            throw .invalid(header, error)
        }
    }
}

/// The frame around a body.
///
/// Invariants:
/// - It begins with the magic and ends with the checksum, both at fixed places, so that foreign and
///   damaged bytes are turned away before protobuf-c sees them.
enum Envelope {
    /// "LOCI".
    static let magic: UInt32 = 0x4943_4F4C
    /// Field 1, fixed32.
    private static let magicTag: UInt8 = 1 << 3 | 5
    /// Field 100, fixed64, as the two bytes of a varint.
    static let sealTag: UInt16 = 0x06A1
    static let sealBytes = 10
    /// Largest encoded body. A decoder's arena holds it, and what it decodes to.
    static let bodyBytes = Limits.decodeArenaBytes / 2

    static func isEnvelope(_ frame: Bytes) -> Bool {
        frame.count >= 5 + sealBytes && frame[0] == magicTag
            && frame.load(UInt32.self, at: 1) == magic
    }

    static func checksum(_ content: Bytes, bulk: [Bytes]) -> UInt64 {
        bulk.reduce(content.checksum()) { seed, frame in frame.checksum(seed: seed) }
    }

    /// Packs the envelope and puts the checksum behind it.
    static func sealed(
        _ envelope: UnsafeMutablePointer<Loci__Envelope>, in arena: Arena, bulk: [Bytes]
    ) -> Bytes {
        let packed = unsafe arena.packed(envelope)
        return seal(unsafe Bytes(owner: ArenaStorage(arena, packed)), bulk: bulk)
    }

    /// `content` with its checksum behind it.
    static func seal(_ content: Bytes, bulk: [Bytes]) -> Bytes {
        let checksum = checksum(content, bulk: bulk)
        let size = content.count
        return unsafe Bytes(uninitialized: size + sealBytes) { target in
            unsafe content.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
            unsafe target.storeBytes(of: sealTag, toByteOffset: size, as: UInt16.self)
            unsafe target.storeBytes(of: checksum, toByteOffset: size + 2, as: UInt64.self)
        }
    }
}
