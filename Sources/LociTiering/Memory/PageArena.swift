import CLinux
public import LociBase
import Synchronization

/// Memory for pages within a budget: frames of powers of two from 4 KiB to 2 MiB.
///
/// Each size has address space for the whole budget, reserved when its first frame is wanted and
/// backed by huge pages where the kernel has them. A frame goes back when the last reference to it
/// goes, on whatever thread that is; giving back takes a few atomic instructions and waits for no
/// lock.
///
/// Beyond its frames the arena costs 64 bytes of heap for each frame in use and 4 for each that
/// was, and at most 2 MiB of each size that is used, where a huge page is filled in part.
///
/// Invariants:
/// - Frames in use and frames that are free but resident take at most `budgetBytes` together, over
///   all sizes.
/// - `allocate` never fails: beyond the budget it takes memory from the heap, and `overflowBytes`
///   and `overflowCount` say so.
/// - A frame has one owner at a time.
public final class PageArena: PageMemory {
    public static let smallestFrameBytes = 4 << 10
    public static let largestFrameBytes = 2 << 20

    public let budgetBytes: Int
    private let node: Int32?
    private let used = Atomic(0)
    private let overflow = Atomic(0)
    private let overflows = Atomic(0)
    private let returned: [ReturnedFrames]
    private let state: Mutex<State>

    /// What allocating threads share.
    private struct State: Sendable {
        var regions: [FrameRegion]
        var residentBytes = 0
    }

    /// - Parameter node: The NUMA node that pages come from; nil leaves it to the kernel.
    public init(budgetBytes: Int, node: Int32? = nil) {
        precondition(budgetBytes >= Self.smallestFrameBytes)
        self.budgetBytes = budgetBytes
        self.node = node
        var sizes = [Self.smallestFrameBytes]
        while sizes.last! < Self.largestFrameBytes { sizes.append(sizes.last! * 2) }
        returned = sizes.map { _ in ReturnedFrames() }
        state = Mutex(
            State(regions: sizes.map { FrameRegion(frameBytes: $0, budgetBytes: budgetBytes) }))
    }

    deinit { state.withLock { state in for region in state.regions { region.release() } } }

    /// Bytes of frames that somebody refers to.
    public var usedBytes: Int { used.load(ordering: .relaxed) }
    /// Bytes of frames that are in use, or free and not given back to the kernel.
    public var residentBytes: Int { state.withLock { $0.residentBytes } }
    /// Bytes that are on the heap now because the budget was full.
    public var overflowBytes: Int { overflow.load(ordering: .relaxed) }
    /// How often the heap had to help.
    public var overflowCount: Int { overflows.load(ordering: .relaxed) }

    /// What a page of that size takes from the budget.
    public static func frameBytes(for byteCount: Int) -> Int {
        var bytes = smallestFrameBytes
        while bytes < byteCount { bytes *= 2 }
        return bytes
    }

    public func allocate(_ byteCount: Int) -> ByteStorage {
        let bytes = Self.frameBytes(for: byteCount)
        if bytes <= Self.largestFrameBytes {
            let size = Self.size(of: bytes)
            if let address = state.withLock({ take(size, bytes, &$0) }) {
                used.add(bytes, ordering: .relaxed)
                return PageFrame(of: self, at: address, byteCount: byteCount)
            }
        }
        overflow.add(byteCount, ordering: .relaxed)
        overflows.add(1, ordering: .relaxed)
        return OverflowFrame(of: self, byteCount: byteCount)
    }

    /// The bytes in a frame of this arena: themselves if they are in one.
    public func adopt(_ bytes: Bytes) -> Bytes {
        switch bytes.whole {
        case let frame as PageFrame where frame.arena === self: bytes
        case let frame as OverflowFrame where frame.arena === self: bytes
        default: copy(bytes)
        }
    }

    private static func size(of frameBytes: Int) -> Int {
        frameBytes.trailingZeroBitCount - smallestFrameBytes.trailingZeroBitCount
    }

    fileprivate func giveBack(_ address: UInt, byteCount: Int) {
        let bytes = Self.frameBytes(for: byteCount)
        returned[Self.size(of: bytes)].push(address)
        used.subtract(bytes, ordering: .relaxed)
    }

    fileprivate func giveBackOverflow(_ byteCount: Int) {
        overflow.subtract(byteCount, ordering: .relaxed)
    }

    // MARK: With the lock

    private func take(_ size: Int, _ bytes: Int, _ state: inout State) -> UInt? {
        if let address = takeFree(size, &state) { return address }
        if state.residentBytes + bytes > budgetBytes {
            forget(state.residentBytes + bytes - budgetBytes, &state)
            guard state.residentBytes + bytes <= budgetBytes else { return nil }
        }
        guard let address = state.regions[size].takeUntouched(node) else { return nil }
        state.residentBytes += bytes
        return address
    }

    private func takeFree(_ size: Int, _ state: inout State) -> UInt? {
        if state.regions[size].free.isEmpty { collect(size, &state) }
        return state.regions[size].takeFree()
    }

    private func collect(_ size: Int, _ state: inout State) {
        returned[size].takeAll { state.regions[size].putBack($0) }
    }

    /// Gives free frames of whatever size back to the kernel.
    private func forget(_ byteCount: Int, _ state: inout State) {
        var forgotten = 0
        for size in state.regions.indices.reversed() {
            collect(size, &state)
            while forgotten < byteCount, state.regions[size].forgetOne() {
                forgotten += state.regions[size].frameBytes
            }
        }
        state.residentBytes -= forgotten
    }
}

/// A frame of an arena. The memory goes back to it in the end.
private final class PageFrame: ByteStorage, @unchecked Sendable {
    let arena: PageArena
    private let address: UInt
    private let byteCount: Int

    init(of arena: PageArena, at address: UInt, byteCount: Int) {
        self.arena = arena
        self.address = address
        self.byteCount = byteCount
        unsafe super.init(
            base: UnsafeMutableRawPointer(bitPattern: address)!, count: byteCount)
    }

    deinit { arena.giveBack(address, byteCount: byteCount) }
}

/// Memory from the heap, counted by the arena whose budget it is beyond.
@safe private final class OverflowFrame: ByteStorage, @unchecked Sendable {
    let arena: PageArena
    private let memory: UnsafeMutableRawPointer
    private let byteCount: Int

    init(of arena: PageArena, byteCount: Int) {
        self.arena = arena
        self.byteCount = byteCount
        unsafe memory = .allocate(
            byteCount: max(byteCount, 1), alignment: PageArena.smallestFrameBytes)
        unsafe super.init(base: memory, count: byteCount)
    }

    deinit {
        unsafe memory.deallocate()
        arena.giveBackOverflow(byteCount)
    }
}
