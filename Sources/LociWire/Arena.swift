import CWire
import LociBase

/// Memory for one message on its way through protobuf-c: allocations move a mark forward, and all
/// of it goes back at once.
///
/// Invariants:
/// - Blocks together never exceed `limit`; an allocation that would is refused, upon which
///   protobuf-c gives up decoding and returns NULL.
/// - Every allocation is aligned to 16 bytes.
@safe final class Arena {
    private let limit: Int
    private var reserved: Int
    private var blocks: [UnsafeMutableRawPointer]
    private var block: UnsafeMutableRawPointer
    private var blockBytes: Int
    private var used = 0

    private static let firstBlockBytes = 2048
    private static let alignment = 16

    /// - Parameter limit: Bytes that may be allocated in all; at least 2048.
    init(limit: Int) {
        self.limit = limit
        blockBytes = Self.firstBlockBytes
        reserved = Self.firstBlockBytes
        unsafe blocks = []
        unsafe block = .allocate(byteCount: Self.firstBlockBytes, alignment: Self.alignment)
    }

    deinit {
        unsafe block.deallocate()
        for index in unsafe blocks.indices { unsafe blocks[index].deallocate() }
    }

    /// - Returns: nil where the limit would be exceeded.
    func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size <= limit else { return nil }
        let rounded = (size + Self.alignment - 1) & ~(Self.alignment - 1)
        if rounded > blockBytes - used {
            guard addBlock(atLeast: rounded) else { return nil }
        }
        defer { used += rounded }
        return unsafe block + used
    }

    private func addBlock(atLeast size: Int) -> Bool {
        let room = limit - reserved
        guard size <= room else { return false }
        let bytes = min(max(size, blockBytes * 2), room)
        unsafe blocks.append(block)
        unsafe block = .allocate(byteCount: bytes, alignment: Self.alignment)
        blockBytes = bytes
        reserved += bytes
        used = 0
        return true
    }

    /// What protobuf-c calls. Valid as long as the arena is.
    var allocator: ProtobufCAllocator {
        unsafe ProtobufCAllocator(
            alloc: allocateInArena, free: keepInArena,
            allocator_data: Unmanaged.passUnretained(self).toOpaque())
    }
}

/// Laying out what is to be packed. The limit of an arena for this purpose is `Int.max`.
extension Arena {
    fileprivate func mustAllocate(_ size: Int) -> UnsafeMutableRawPointer {
        guard let memory = unsafe allocate(size) else {
            preconditionFailure("An arena for encoding has no limit.")
        }
        return unsafe memory
    }

    /// Copies `layout` in and gives it the descriptor that `initialise` knows.
    func place<Layout>(
        _ layout: Layout, _ initialise: (UnsafeMutablePointer<Layout>?) -> Void
    ) -> UnsafeMutablePointer<Layout> {
        let raw = unsafe mustAllocate(MemoryLayout<Layout>.size)
        let slot = unsafe raw.bindMemory(to: Layout.self, capacity: 1)
        unsafe initialise(slot)
        let base = unsafe raw.load(as: ProtobufCMessage.self)
        unsafe slot.initialize(to: layout)
        unsafe raw.storeBytes(of: base, as: ProtobufCMessage.self)
        return unsafe slot
    }

    func bytes(_ text: String) -> ProtobufCBinaryData {
        var text = text
        return text.withUTF8 { source in
            let target = unsafe mustAllocate(source.count)
            unsafe UnsafeMutableRawBufferPointer(start: target, count: source.count)
                .copyMemory(from: UnsafeRawBufferPointer(source))
            return unsafe ProtobufCBinaryData(
                len: source.count, data: target.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// The elements side by side, as repeated fields want them.
    func array<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let raw = unsafe mustAllocate(elements.count * MemoryLayout<Element>.stride)
        let target = unsafe raw.bindMemory(to: Element.self, capacity: elements.count)
        for (index, element) in elements.enumerated() {
            unsafe (target + index).initialize(to: element)
        }
        return unsafe target
    }
}

/// Packing and unpacking.
extension Arena {
    func packed<Layout>(_ layout: UnsafeMutablePointer<Layout>) -> ProtobufCBinaryData {
        let message = unsafe UnsafeMutableRawPointer(layout)
            .assumingMemoryBound(to: ProtobufCMessage.self)
        let size = unsafe protobuf_c_message_get_packed_size(message)
        let target = unsafe mustAllocate(size).assumingMemoryBound(to: UInt8.self)
        _ = unsafe protobuf_c_message_pack(message, target)
        return unsafe ProtobufCBinaryData(len: size, data: target)
    }

    /// - Returns: nil if the bytes are no such message, or decoding needs more than the limit.
    func unpack<Layout>(
        _ count: Int, _ bytes: UnsafePointer<UInt8>?,
        _ unpack: (
            UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
        ) -> UnsafeMutablePointer<Layout>?
    ) -> Layout? {
        var allocator = unsafe allocator
        return unsafe unpack(&allocator, count, bytes)?.pointee
    }
}

/// A piece of an arena as `Bytes`, which keep the arena.
final class ArenaStorage: ByteStorage, @unchecked Sendable {
    private let arena: Arena

    init(_ arena: Arena, _ data: ProtobufCBinaryData) {
        self.arena = arena
        unsafe super.init(base: UnsafeMutableRawPointer(data.data), count: data.len)
    }
}

private func allocateInArena(
    _ arena: UnsafeMutableRawPointer?, _ size: Int
) -> UnsafeMutableRawPointer? {
    guard let arena = unsafe arena else { return nil }
    return unsafe Unmanaged<Arena>.fromOpaque(arena).takeUnretainedValue().allocate(size)
}

/// All of the arena's memory goes back together.
private func keepInArena(_ arena: UnsafeMutableRawPointer?, _ memory: UnsafeMutableRawPointer?) {}
