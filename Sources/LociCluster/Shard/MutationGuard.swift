import LociBase
import LociModel
import LociWire

/// Keeps late and repeated messages from changing anything. A coordinator numbers its mutations and
/// says with each message below which number none is in flight any more.
///
/// Invariants:
/// - Of each request, at most one copy is admitted, and none below the fence.
/// - Once a removal with sequence s has been admitted, no put of the same point with a lower
///   sequence is: either its floor is remembered, or the fence has passed it.
struct MutationGuard: Sendable {
    private struct PointKey: Hashable {
        let space: SpaceID
        let partition: PartitionIndex
        let id: PointID
    }

    private var coordinator: UInt64 = 0
    private var fence: UInt64 = 0
    private var fenceAtPing: UInt64 = 0
    private var admitted: [UInt64: UInt64] = [:]
    private var floors: [PointKey: UInt64] = [:]

    /// A coordinator opens a session. False if a later one has done so already.
    mutating func open(coordinator incarnation: UInt64) -> Bool {
        guard incarnation >= coordinator else { return false }
        if incarnation > coordinator {
            coordinator = incarnation
            admitted = [:]
            floors = [:]
        }
        return true
    }

    /// Notes what a ping says of the fence. Returns where it stood at the ping before: mutations
    /// below that have been over for a while.
    mutating func pinged(fence newer: UInt64) -> UInt64 {
        if newer > fence { raise(to: newer) }
        defer { fenceAtPing = fence }
        return fenceAtPing
    }

    /// Whether a message belongs to the session between that coordinator and this start of the
    /// shard.
    func accepts(_ header: Header, incarnation: UInt64) -> Bool {
        header.senderIncarnation == coordinator && coordinator != 0
            && header.receiverIncarnation == incarnation
    }

    /// Whether a mutation is to be carried out: it is neither a repetition nor given up already.
    mutating func admits(_ header: Header) -> Bool {
        if header.fence > fence { raise(to: header.fence) }
        guard header.sequence >= fence, admitted[header.requestID] == nil else { return false }
        admitted[header.requestID] = header.sequence
        return true
    }

    mutating func noteRemoval(
        of ids: [PointID], _ space: SpaceID, _ partition: PartitionIndex, sequence: UInt64
    ) {
        for id in ids {
            let key = PointKey(space: space, partition: partition, id: id)
            floors[key] = max(floors[key] ?? 0, sequence)
        }
    }

    /// Whether a put comes after a removal that was meant to follow it.
    func isOutdated(
        _ id: PointID, _ space: SpaceID, _ partition: PartitionIndex, sequence: UInt64
    ) -> Bool {
        let key = PointKey(space: space, partition: partition, id: id)
        return floors.isEmpty ? false : sequence < floors[key] ?? 0
    }

    private mutating func raise(to newFence: UInt64) {
        fence = newFence
        if admitted.count > 1024 { admitted = admitted.filter { $0.value >= newFence } }
        if floors.count > 1024 { floors = floors.filter { $0.value >= newFence } }
    }
}
