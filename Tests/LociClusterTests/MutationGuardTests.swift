import LociBase
import LociModel
import LociWire
import Testing

@testable import LociCluster

@Suite struct MutationGuardTests {
    private struct Arrival: CustomStringConvertible {
        let request: UInt64
        let sequence: UInt64
        let fence: UInt64
        let isRemoval: Bool

        var header: Header {
            var header = Header(requestID: request)
            header.senderIncarnation = 1
            header.receiverIncarnation = 1
            header.sequence = sequence
            header.fence = fence
            return header
        }

        var description: String { "\(isRemoval ? "remove" : "put")-\(sequence)" }
    }

    /// A shard with one point, as far as versions go.
    private struct Shard {
        var guardian = MutationGuard()
        var stored: UInt64?
        var applied: [UInt64] = []

        init() { _ = guardian.open(coordinator: 1) }

        mutating func receive(_ arrival: Arrival) {
            guard guardian.accepts(arrival.header, incarnation: 1),
                guardian.admits(arrival.header)
            else { return }
            if arrival.isRemoval {
                guardian.noteRemoval(of: [7], 1, 0, sequence: arrival.sequence)
                if stored ?? .max < arrival.sequence { stored = nil }
            } else if !guardian.isOutdated(7, 1, 0, sequence: arrival.sequence),
                stored ?? 0 < arrival.sequence
            {
                stored = arrival.sequence
            }
            applied.append(arrival.request)
        }
    }

    private static let put = Arrival(request: 1, sequence: 11, fence: 11, isRemoval: false)
    private static let remove = Arrival(request: 2, sequence: 12, fence: 11, isRemoval: true)
    private static let later = Arrival(request: 3, sequence: 13, fence: 12, isRemoval: false)

    @Test func aPutThatComesAfterItsRemovalStoresNothing() {
        for order in permutations(of: [Self.put, Self.put, Self.remove, Self.remove]) {
            var shard = Shard()
            for arrival in order { shard.receive(arrival) }
            #expect(shard.stored == nil, "\(order)")
        }
    }

    @Test func theLatestPutStaysInWhateverOrderMessagesCome() {
        for order in permutations(of: [Self.put, Self.put, Self.remove, Self.later, Self.later]) {
            var shard = Shard()
            for arrival in order { shard.receive(arrival) }
            #expect(shard.stored == 13, "\(order)")
        }
    }

    @Test func ofEachRequestOneCopyIsAdmitted() {
        for order in permutations(of: [Self.put, Self.put, Self.remove, Self.remove, Self.later]) {
            var shard = Shard()
            for arrival in order { shard.receive(arrival) }
            #expect(Set(shard.applied).count == shard.applied.count, "\(order)")
        }
    }

    @Test func nothingBelowTheFenceIsAdmitted() {
        var guardian = MutationGuard()
        _ = guardian.open(coordinator: 1)
        let before = guardian.pinged(fence: 20)
        #expect(before == 0)
        let atFence = Arrival(request: 9, sequence: 20, fence: 5, isRemoval: false)
        let isBelowAdmitted = guardian.admits(Self.put.header)
        let isAtFenceAdmitted = guardian.admits(atFence.header)
        #expect(!isBelowAdmitted && isAtFenceAdmitted)
        let after = guardian.pinged(fence: 7)
        #expect(after == 20)
    }

    /// What is forgotten to bound memory must not let anything through.
    @Test func removalsAreRememberedUntilTheFenceHasPassedThem() {
        var guardian = MutationGuard()
        _ = guardian.open(coordinator: 1)
        for id in PointID(0)..<3000 {
            let removal = Arrival(
                request: 2 * id, sequence: 1000 + id, fence: id, isRemoval: true)
            if guardian.admits(removal.header) {
                guardian.noteRemoval(of: [id], 1, 0, sequence: 1000 + id)
            }
            for earlier in stride(from: PointID(0), through: id, by: 97) {
                var header = removal.header
                header.requestID = 1_000_000 + earlier * 4000 + id
                header.sequence = 999 + earlier
                let stores =
                    guardian.admits(header)
                    && !guardian.isOutdated(earlier, 1, 0, sequence: header.sequence)
                #expect(!stores, "put of \(earlier) after the removal of \(id)")
            }
        }
    }

    @Test func aSupersededCoordinatorIsNotHeard() {
        var guardian = MutationGuard()
        #expect(!guardian.accepts(Self.put.header, incarnation: 1))
        var opened = guardian.open(coordinator: 1)
        #expect(opened && guardian.accepts(Self.put.header, incarnation: 1))
        #expect(!guardian.accepts(Self.put.header, incarnation: 2))
        opened = guardian.open(coordinator: 3)
        #expect(opened && !guardian.accepts(Self.put.header, incarnation: 1))
        opened = guardian.open(coordinator: 2)
        #expect(!opened)
    }
}
