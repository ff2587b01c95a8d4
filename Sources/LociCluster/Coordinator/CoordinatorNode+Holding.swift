import LociBase
import LociModel
import LociSearch
import LociWire

/// Mutations that wait for the point of a snapshot.
///
/// Invariants:
/// - `held` are those that wait and have not ended, in the order in which they came; `heldBytes` is
///   what they carry: at most `Limits.waitingMutationBytes`, unless it is a single one's.
/// - They take none of the slots that requests at work share, so reads go on.
extension CoordinatorNode {
    /// Keeps a mutation until the point has passed.
    /// - Throws: RESOURCE_EXHAUSTED when enough are kept already.
    mutating func hold(
        _ body: Body, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant
    ) throws(LociError) {
        let bytes = bulk.reduce(0) { $0 + $1.count }
        let isRoom = held.isEmpty || heldBytes + bytes <= Limits.waitingMutationBytes
        guard isRoom, held.count < Limits.requestsInFlight else {
            throw LociError(
                .resourceExhausted,
                "\(held.count) writes with \(heldBytes) bytes wait for the point of a snapshot.",
                advice: "Try again: the point takes seconds at most.")
        }
        heldBytes += bytes
        let number = begin(.held(body, bulk), client, deadline)
        operations[number]!.outstanding = 1
        held.append(number)
    }

    /// One that was held has ended before the point, at its deadline.
    mutating func forgetHeld(_ number: UInt64, _ bulk: [Bytes]) {
        held.removeAll { $0 == number }
        heldBytes -= bulk.reduce(0) { $0 + $1.count }
    }

    mutating func release(into directives: inout [CoordinatorDirective]) {
        guard isHolding else { return }
        isHolding = false
        let numbers = held
        held = []
        heldBytes = 0
        for number in numbers {
            guard let operation = operations.removeValue(forKey: number),
                case .held(let body, let bulk) = operation.kind, let client = operation.client
            else { continue }
            do throws(LociError) {
                try dispatch(body, bulk, client, operation.deadline, into: &directives)
            } catch {
                reply(client, .failure(error), into: &directives)
            }
        }
        admitWaiting(into: &directives)
        let outcomes = heldLearning
        heldLearning = []
        for (space, outcome) in outcomes { plant(space, outcome, into: &directives) }
    }
}

extension Body {
    /// Whether a client's request changes what a snapshot holds.
    var isMutation: Bool {
        switch self {
        case .createField, .dropField, .createCollection, .dropCollection, .writeCells, .upsert,
            .deletePoints, .storeTuning, .createMemory, .dropMemory, .writeMemory:
            true
        default: false
        }
    }
}
