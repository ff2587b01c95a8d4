import LociBase
import LociModel
import Synchronization

/// What the segments of a partition take on their device. Segments that have changed are asked
/// again, and no others.
final class SegmentSpace: Sendable {
    private struct State: Sendable {
        var bytes: [SegmentName: UInt64] = [:]
        var changed: Set<SegmentName> = []
        var total: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The total as far as it is known, and whether that is all.
    var bytes: (total: UInt64, isComplete: Bool) {
        state.withLock { ($0.total, $0.changed.isEmpty) }
    }

    func change(_ segment: SegmentName) { state.withLock { _ = $0.changed.insert(segment) } }

    func forget(_ space: SpaceID) {
        state.withLock { state in
            state.changed = state.changed.filter { $0.space != space }
            for (name, bytes) in state.bytes where name.space == space {
                state.total -= bytes
                state.bytes[name] = nil
            }
        }
    }

    /// Asks up to `most` of the segments that have changed.
    func measure(
        most: Int, _ allocated: (SegmentName) throws(StorageError) -> UInt64?
    ) throws(StorageError) {
        for _ in 0..<most {
            guard let name = state.withLock({ $0.changed.popFirst() }) else { return }
            let bytes: UInt64
            do {
                bytes = try allocated(name) ?? 0
            } catch {
                change(name)
                throw error
            }
            state.withLock { state in
                state.total -= state.bytes[name] ?? 0
                state.bytes[name] = bytes
                state.total += bytes
            }
        }
    }
}
