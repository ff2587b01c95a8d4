import LociBase
import LociModel
import Testing

@testable import LociWire

@Suite struct HostileBytesTests {
    private func frames(seed: Int) throws -> [Bytes] {
        var messages = RandomMessages(seed: UInt64(seed))
        return try messages.message(kind: seed % RandomMessages.kinds).encoded()
    }

    /// Nil if the frames are turned away.
    private func decode(_ frames: [Bytes]) -> Message? { try? Message(frames: frames) }

    @Test func everyTruncationIsTurnedAway() throws {
        for kind in 0..<RandomMessages.kinds {
            let whole = try frames(seed: kind)
            for (index, frame) in whole.enumerated() {
                for size in 0..<frame.count {
                    var cut = whole
                    cut[index] = frame.slice(0..<size)
                    #expect(decode(cut) == nil, "kind \(kind), frame \(index), \(size) bytes")
                }
                var missing = whole
                missing.remove(at: index)
                #expect(decode(missing) == nil)
            }
            #expect(decode(whole + [Bytes()]) == nil)
            #expect(decode(whole + [Bytes([1])]) == nil)
            if whole.count > 2, whole[1] != whole[2] {
                var swapped = whole
                swapped.swapAt(1, 2)
                #expect(decode(swapped) == nil)
            }
        }
    }

    @Test func changedBytesNeverDecode() throws {
        var random = SeededRandom(seed: 3)
        for round in 0..<20_000 {
            let whole = try frames(seed: round % 400)
            var changed = whole
            for _ in 0..<(1 + random.below(3)) { mutate(&changed, &random) }
            if changed == whole { continue }
            #expect(decode(changed) == nil, "round \(round)")
        }
    }

    /// A peer can compute checksums too: what the parser and the checks behind it do with nonsense.
    @Test func changedBytesWithARightChecksumHarmNothing() throws {
        var random = SeededRandom(seed: 4)
        var decoded = 0
        var valid = 0
        for round in 0..<20_000 {
            var changed = try frames(seed: round % 400)
            changed[0] = changed[0].slice(0..<(changed[0].count - Envelope.sealBytes))
            for _ in 0..<(1 + random.below(3)) { mutate(&changed, &random) }
            changed[0] = Envelope.seal(changed[0], bulk: Array(changed.dropFirst()))
            guard let message = decode(changed) else { continue }
            decoded += 1
            #expect(try Message(frames: message.encoded()) == message)
            if (try? message.validated()) != nil { valid += 1 }
        }
        #expect(decoded > 1000)
        #expect(valid > 100)
    }

    private func mutate(_ frames: inout [Bytes], _ random: inout SeededRandom) {
        let index = random.chance(0.7) ? 0 : random.below(frames.count)
        var bytes = frames[index].array
        let place = random.below(bytes.count + 1)
        switch random.below(5) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2 where place < bytes.count: bytes.remove(at: place)
        case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        default:
            let end = min(bytes.count, place + random.below(8))
            bytes.replaceSubrange(
                place..<end, with: [0xFF, 0xFF, 0xFF, 0xFF, 0x0F].prefix(end - place))
        }
        frames[index] = Bytes(bytes)
    }

    @Test func bytesOfOtherProtocolsAreNotEnvelopes() {
        var random = SeededRandom(seed: 5)
        var foreign = [
            [Bytes(utf8: "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")], [], [Bytes()],
            [Bytes(), Bytes(utf8: "hello")],
        ]
        for _ in 0..<2000 {
            let count = random.below(200)
            foreign.append([Bytes((0..<count).map { _ in UInt8(random.below(256)) })])
        }
        for frames in foreign {
            #expect(throws: WireError.notAnEnvelope) { try Message(frames: frames) }
        }
    }

    @Test func anotherVersionIsNamed() {
        let frame = handmade(version: 9, kind: 66, body: [])
        #expect(throws: WireError.wrongVersion(9)) { try Message(frames: [frame]) }
    }

    @Test func anUnknownBodyCanBeAnsweredByItsRequestID() {
        for (kind, body) in [(99, []), (1, [0xFF]), (1, [0x0A, 1, 0xFF]), (1, [0x10, 7])] {
            let frame = handmade(
                version: UInt8(LociVersion.wire), kind: UInt8(kind), body: body.map(UInt8.init))
            #expect {
                try Message(frames: [frame])
            } throws: { error in
                guard case .invalid(let header, let reason)? = error as? WireError else {
                    return false
                }
                return header.requestID == 5 && reason.code == .invalidArgument
            }
        }
    }

    @Test(arguments: [
        // Empty shard statuses: 2 bytes each on the wire, 80 in memory.
        (UInt8(35), [UInt8(0x2A), 0]),
        // Fields that nobody knows: 2 bytes each on the wire, 40 in memory.
        (UInt8(1), [UInt8(0x78), 0]),
        // Elements of a shape, one by one.
        (UInt8(1), [UInt8(0x1A), 0x01, 0x00]),
    ])
    func aSmallMessageCannotTakeMuchMemory(kind: UInt8, item: [UInt8]) {
        let body = (0..<300_000).flatMap { _ in item }
        let frame = handmade(version: UInt8(LociVersion.wire), kind: kind, body: body)
        #expect {
            try Message(frames: [frame])
        } throws: { error in
            guard case .invalid? = error as? WireError else { return false }
            return true
        }
    }

    @Test func anArenaNeverExceedsItsLimit() {
        var random = SeededRandom(seed: 6)
        let arena = Arena(limit: 1 << 20)
        var total = 0
        while true {
            let size = random.below(3000)
            guard let memory = arena.allocate(size) else { break }
            memory.initializeMemory(as: UInt8.self, repeating: 1, count: size)
            total += size
        }
        #expect(total <= 1 << 20)
        #expect(total > 1 << 19)
        #expect(arena.allocate(1 << 21) == nil)
        #expect(arena.allocate(-1) == nil)
    }

    /// An envelope with request 5, written byte by byte.
    private func handmade(version: UInt8, kind: UInt8, body: [UInt8]) -> Bytes {
        var bytes: [UInt8] = [
            0x0D, 0x4C, 0x4F, 0x43, 0x49, 0x10, version, 0x18, 5, 0x48, kind, 0x52,
        ]
        var count = body.count
        while count > 127 {
            bytes.append(UInt8(count & 127) | 128)
            count >>= 7
        }
        bytes.append(UInt8(count))
        return Envelope.seal(Bytes(bytes + body), bulk: [])
    }
}
