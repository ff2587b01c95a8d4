import Dispatch
import LociSearch
import LociStorage
import Synchronization

/// Work on pages in the order in which it was given, by one thread at a time; page-ins that were
/// given one after the other are carried out together.
final class PageQueue: Sendable {
    enum Work: Sendable {
        case load([PageRequest])
        case write(PageWrite)
    }

    /// Page-ins that are carried out together at most; nobody is told before the last is done.
    private static let mostTogether = 64

    /// What is done here after a piece of work was given is done after that piece.
    let thread: DispatchQueue
    private let pending = Mutex<[Work]>([])

    init(label: String) { thread = DispatchQueue(label: label) }

    func give(_ work: Work, carryingOutBy carryOut: @escaping @Sendable (Work) -> Void) {
        pending.withLock { Self.append(work, to: &$0) }
        // Whatever an earlier block has taken along is gone already.
        thread.async { for work in self.takeAll() { carryOut(work) } }
    }

    private func takeAll() -> [Work] {
        pending.withLock { pending in
            let taken = pending
            pending = []
            return taken
        }
    }

    private static func append(_ work: Work, to pending: inout [Work]) {
        if case .load(let requests) = work, case .load(var earlier) = pending.last,
            earlier.count + requests.count <= mostTogether
        {
            pending.removeLast()
            earlier += requests
            pending.append(.load(earlier))
        } else {
            pending.append(work)
        }
    }
}
