import LociBase
import LociModel
import LociSearch

/// Old copies go after the readers that may have asked for them.
extension CoordinatorNode {
    /// Partitions of older copies, for each point.
    func outdated(_ mutation: MutationOperation) -> [[UInt16]] {
        zip(mutation.previous, mutation.targets).map { previous, targets in
            previous.filter { !targets.contains($0) }
        }
    }

    /// Waits for readers if there is anything to remove that has a newer copy elsewhere.
    mutating func pause(_ mutation: inout MutationOperation, _ operation: inout Operation) {
        mutation.phase = .pausing
        let isReplacing = mutation.purpose != .delete && outdated(mutation).contains { !$0.isEmpty }
        if isReplacing {
            let space = mutation.space
            mutation.readers = Set(
                operations.values.filter { $0.kind.readSpace == space }.map(\.number))
        }
        operation.kind = .mutation(mutation)
        if !mutation.readers.isEmpty {
            operation.outstanding = 1
            pausing.append(operation.number)
        }
    }

    /// Readers have finished: mutations that waited for them go on.
    mutating func releasePausing(into directives: inout [CoordinatorDirective]) {
        guard !endedReaders.isEmpty else { return }
        let ended = endedReaders
        endedReaders = []
        let numbers = pausing
        pausing = []
        for number in numbers {
            guard var operation = operations[number],
                case .mutation(var mutation) = operation.kind
            else { continue }
            mutation.readers.subtract(ended)
            operation.kind = .mutation(mutation)
            operations[number] = operation
            guard mutation.readers.isEmpty else {
                pausing.append(number)
                continue
            }
            operations[number] = nil
            operation.outstanding = 0
            resume(operation, into: &directives)
        }
    }
}
