import CLinux
import Synchronization

/// The address space of one frame size, and which of its frames are free. Not for several threads.
///
/// Invariants:
/// - Frames below `untouched` have been used; each is in use, in `free`, in `forgotten`, or on its
///   way back.
/// - Frames in `free` are resident, those in `forgotten` and from `untouched` on are not.
struct FrameRegion: Sendable {
    let frameBytes: Int
    private let capacity: Int
    private var base: UInt = 0
    private var untouched = 0
    private var usesSmallPages = false
    private(set) var free: [UInt32] = []
    private var forgotten: [UInt32] = []

    init(frameBytes: Int, budgetBytes: Int) {
        self.frameBytes = frameBytes
        capacity = budgetBytes / frameBytes
    }

    private static let hugePageBytes = 2 << 20

    private var reservedBytes: Int {
        (capacity * frameBytes + Self.hugePageBytes - 1) / Self.hugePageBytes * Self.hugePageBytes
    }

    mutating func takeFree() -> UInt? { free.popLast().map(address) }

    mutating func putBack(_ address: UInt) {
        free.append(UInt32((address - base) / UInt(frameBytes)))
    }

    /// A frame that is not resident; nil if there is no address space for it.
    mutating func takeUntouched(_ node: Int32?) -> UInt? {
        if let frame = forgotten.popLast() { return address(frame) }
        guard untouched < capacity, base != 0 || reserve(node) else { return nil }
        untouched += 1
        return address(UInt32(untouched - 1))
    }

    /// Gives one free frame's memory back to the kernel. False if none is free. From then on this
    /// size does without huge pages: the kernel would fill the holes in them by itself.
    mutating func forgetOne() -> Bool {
        guard let frame = free.popLast() else { return false }
        if !usesSmallPages, frameBytes < Self.hugePageBytes {
            usesSmallPages = true
            unsafe loci_use_small_pages(UnsafeMutableRawPointer(bitPattern: base), reservedBytes)
        }
        unsafe loci_forget_memory(
            UnsafeMutableRawPointer(bitPattern: address(frame)), frameBytes)
        forgotten.append(frame)
        return true
    }

    func release() {
        if base != 0 {
            unsafe loci_release_memory(UnsafeMutableRawPointer(bitPattern: base), reservedBytes)
        }
    }

    private func address(_ frame: UInt32) -> UInt { base + UInt(frame) * UInt(frameBytes) }

    private mutating func reserve(_ node: Int32?) -> Bool {
        guard let reserved = unsafe loci_reserve_memory(reservedBytes) else { return false }
        if let node {
            // Where it cannot be bound, it is memory all the same.
            _ = unsafe loci_bind_memory(reserved, reservedBytes, node)
        }
        base = UInt(bitPattern: reserved)
        return true
    }
}

/// Frames that were given back, a stack: any thread pushes, allocating threads take all. Each
/// frame's first word names the next, so pushing allocates nothing.
final class ReturnedFrames: Sendable {
    private let top = Atomic<UInt>(0)

    func push(_ address: UInt) {
        let link = unsafe UnsafeMutablePointer<UInt>(bitPattern: address)!
        var next = top.load(ordering: .relaxed)
        while true {
            unsafe link.pointee = next
            let (isDone, now) = top.weakCompareExchange(
                expected: next, desired: address, successOrdering: .releasing,
                failureOrdering: .relaxed)
            if isDone { return }
            next = now
        }
    }

    func takeAll(_ body: (UInt) -> Void) {
        var address = top.exchange(0, ordering: .acquiring)
        while address != 0 {
            let next = unsafe UnsafeMutablePointer<UInt>(bitPattern: address)!.pointee
            body(address)
            address = next
        }
    }
}
