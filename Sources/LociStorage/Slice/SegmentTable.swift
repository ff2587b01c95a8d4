import LociBase
import LociModel
import Synchronization

/// The open segments of a slice, the least recently used of which are closed. Who works with one
/// holds it, and it stays open that long.
final class SegmentTable: Sendable {
    private struct Key: Hashable, Sendable {
        let partition: PartitionIndex
        let name: SegmentName
    }

    private struct Entry: Sendable {
        let segment: Segment
        var lastUse: UInt64
    }

    private struct State: Sendable {
        var entries: [Key: Entry] = [:]
        var clock: UInt64 = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) { self.capacity = capacity }

    /// - Returns: nil if the file is absent and not to be created. Only one thread at a time may
    ///   create a partition's segments.
    func segment(
        _ name: SegmentName, in place: PartitionPlace, create: Bool
    ) throws(StorageError) -> Segment? {
        let key = Key(partition: place.partition, name: name)
        if let segment = look(key) { return segment }
        guard let segment = try Segment(name, in: place, create: create) else { return nil }
        insert(key, segment)
        return segment
    }

    func forget(_ space: SpaceID, of partition: PartitionIndex) {
        state.withLock { state in
            for key in state.entries.keys
            where key.partition == partition && key.name.space == space {
                state.entries[key] = nil
            }
        }
    }

    private func look(_ key: Key) -> Segment? {
        state.withLock { state in
            state.clock += 1
            state.entries[key]?.lastUse = state.clock
            return state.entries[key]?.segment
        }
    }

    private func insert(_ key: Key, _ segment: Segment) {
        state.withLock { state in
            state.clock += 1
            while state.entries.count >= capacity, state.entries[key] == nil {
                let oldest = state.entries.min { $0.value.lastUse < $1.value.lastUse }!
                state.entries[oldest.key] = nil
            }
            state.entries[key] = Entry(segment: segment, lastUse: state.clock)
        }
    }
}
