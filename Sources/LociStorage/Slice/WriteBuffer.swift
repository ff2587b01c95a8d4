import LociBase
import Synchronization

/// The pages of a partition that were written and are not yet in their segments, each as a whole.
///
/// Invariants:
/// - What a reader must see of a page is in `dirty`; if not there, in `flushing`; if not there, in
///   the segment.
/// - A page leaves `flushing` only when its segment has it durably.
/// - `bytes` counts both, over all partitions that share the counter.
final class WriteBuffer: Sendable {
    private struct State: Sendable {
        var dirty: [PageName: Bytes] = [:]
        var flushing: [PageName: Bytes] = [:]
        /// Pages of an interrupted flush: nothing may take their place in the double-write area
        /// before they are in their segments.
        var interrupted: Set<PageName> = []
    }

    private let state = Mutex(State())
    private let counter: WriteBufferCounter
    /// Whether there may be an image: readers of other pages need no lock then.
    private let isOccupied = Atomic(false)

    init(_ counter: WriteBufferCounter) { self.counter = counter }

    /// The newest image of a page, if it is here.
    func image(of page: PageName) -> Bytes? {
        guard isOccupied.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.dirty[page] ?? $0.flushing[page] }
    }

    var isEmpty: Bool { state.withLock { $0.dirty.isEmpty && $0.flushing.isEmpty } }
    var dirtyPages: [PageName] { state.withLock { Array($0.dirty.keys) } }

    /// All images as they are now: what the segments lack.
    var images: [PageName: Bytes] {
        state.withLock { state in
            state.flushing.merging(state.dirty) { $1 }
        }
    }

    /// Writes into the page if it is here. Returns whether it is.
    func patch(_ page: PageName, at offset: Int, with bytes: Bytes) -> Bool {
        state.withLock { state in
            if state.dirty[page] == nil {
                guard let base = state.flushing[page] else { return false }
                state.dirty[page] = base
                counter.add(base.count)
            }
            state.dirty[page]!.replace(at: offset, with: bytes)
            return true
        }
    }

    /// Takes a page in. Only the thread that works on this page may call it.
    func insert(_ image: Bytes, of page: PageName, isInterrupted: Bool = false) {
        state.withLock { state in
            isOccupied.store(true, ordering: .releasing)
            let replaced = state.dirty.updateValue(image, forKey: page)
            counter.add(image.count - (replaced?.count ?? 0))
            if isInterrupted { state.interrupted.insert(page) }
        }
    }

    /// Moves pages from dirty to flushing: of an interrupted flush first, and nothing beside them;
    /// else those of `candidates` that are still dirty, up to `most` bytes.
    /// - Parameter candidates: Descending; taken from the end.
    /// - Returns: Ascending.
    func beginFlush(_ candidates: inout [PageName], most: Int) -> [(PageName, Bytes)] {
        state.withLock { state in
            precondition(state.flushing.isEmpty, "one flush at a time")
            var taken: [(PageName, Bytes)] = []
            var bytes = 0
            if state.interrupted.isEmpty {
                while bytes < most, let page = candidates.popLast() {
                    guard let image = state.dirty[page] else { continue }
                    taken.append((page, image))
                    bytes += image.count
                }
            } else {
                taken = state.interrupted.sorted().compactMap { page in
                    state.dirty[page].map { (page, $0) }
                }
            }
            for (page, _) in taken { state.flushing[page] = state.dirty.removeValue(forKey: page) }
            return taken
        }
    }

    /// The pages under flush are durable in their segments.
    func endFlush() {
        state.withLock { state in
            counter.add(-state.flushing.values.reduce(0) { $0 + $1.count })
            state.flushing = [:]
            state.interrupted = []
            isOccupied.store(!state.dirty.isEmpty, ordering: .releasing)
        }
    }

    /// They are not: they are dirty again, except where a newer image is.
    func abandonFlush() {
        state.withLock { state in
            for (page, image) in state.flushing {
                if state.dirty[page] == nil {
                    state.dirty[page] = image
                } else {
                    counter.add(-image.count)
                }
                state.interrupted.insert(page)
            }
            state.flushing = [:]
        }
    }

    /// Forgets the pages of a space. Those under flush stay until its end.
    func forget(_ space: SpaceID) {
        state.withLock { state in
            for (page, image) in state.dirty where page.space == space {
                state.dirty[page] = nil
                state.interrupted.remove(page)
                counter.add(-image.count)
            }
        }
    }
}

/// Bytes in the write buffers of all partitions of a slice.
final class WriteBufferCounter: Sendable {
    let limit: Int
    private let held = Atomic(0)
    private let foundNoSpace = Atomic(false)

    init(limit: Int) { self.limit = limit }

    var bytes: Int { held.load(ordering: .relaxed) }

    func add(_ count: Int) { held.add(count, ordering: .relaxed) }

    /// Whether files found no space, and none has been there since.
    var isFull: Bool { foundNoSpace.load(ordering: .acquiring) }

    func noteSpace() { foundNoSpace.store(false, ordering: .releasing) }
    func noteNoSpace() { foundNoSpace.store(true, ordering: .releasing) }
}
