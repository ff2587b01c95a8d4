import Dispatch
import LociModel
import LociSearch
import LociStorage
import Synchronization

/// Work on pages, by one thread at a time, in the order in which it was given; page-ins that were
/// given one after the other are carried out together. Background page-ins, for which nobody waits,
/// are carried out only when nothing else is to be done, a few at a time.
///
/// A background page-in may so be overtaken by writes of its page that were given later. It then
/// reads a page that has them already, and the page table lays them over it once more, in their
/// order, which changes nothing. It never runs before a write that was given earlier: it is taken
/// only when no other work is left, and one that is hastened goes to the end of that work.
final class PageQueue: Sendable {
    enum Work: Sendable {
        case load([PageRequest])
        case write(PageWrite)
    }

    private struct Pending: Sendable {
        var work: [Work] = []
        var background: [PageRequest] = []
        /// Of `background`: those before it have been taken.
        var start = 0
        /// A block that will look at the background is on its way.
        var isAwaitingTurn = false
    }

    /// Page-ins that are carried out together at most; nobody is told before the last is done.
    private static let mostTogether = 64
    /// Of the background: what is asked for meanwhile waits for so many page-ins.
    private static let mostBackgroundTogether = 8

    /// What is done here after a piece of work was given is done after that piece, background
    /// excepted.
    let thread: DispatchQueue
    private let pending = Mutex(Pending())

    init(label: String) { thread = DispatchQueue(label: label) }

    func give(_ work: Work, carryingOutBy carryOut: @escaping @Sendable (Work) -> Void) {
        pending.withLock { Self.append(work, to: &$0.work) }
        // Whatever an earlier block has taken along is gone already.
        thread.async { for work in self.takeAll() { carryOut(work) } }
    }

    func giveBackground(
        _ requests: [PageRequest], carryingOutBy carryOut: @escaping @Sendable (Work) -> Void
    ) {
        pending.withLock { $0.background += requests }
        awaitTurn(carryOut)
    }

    /// Moves a page-in from the background, if it is still there, to the end of what somebody waits
    /// for. There it has no time limit.
    func hasten(
        _ address: PageAddress, carryingOutBy carryOut: @escaping @Sendable (Work) -> Void
    ) {
        let request = pending.withLock { pending -> PageRequest? in
            let found = pending.background[pending.start...].firstIndex { $0.address == address }
            return found.map { pending.background.remove(at: $0) }
        }
        if let request { give(.load([request.hastened]), carryingOutBy: carryOut) }
    }

    /// Forgets background page-ins that have not begun; nobody is told of them.
    func dropBackground() {
        pending.withLock { pending in
            pending.background = []
            pending.start = 0
        }
    }

    private func awaitTurn(_ carryOut: @escaping @Sendable (Work) -> Void) {
        let isFirst = pending.withLock { pending in
            defer { pending.isAwaitingTurn = true }
            return !pending.isAwaitingTurn
        }
        if isFirst { thread.async { self.takeTurn(carryOut) } }
    }

    private func takeTurn(_ carryOut: @escaping @Sendable (Work) -> Void) {
        let (work, isMore) = pending.withLock { pending -> ([Work], Bool) in
            pending.isAwaitingTurn = false
            // A block for the other work is on its way; the background's turn is after it.
            if !pending.work.isEmpty { return ([], true) }
            let end = min(pending.start + Self.mostBackgroundTogether, pending.background.count)
            let taken = Array(pending.background[pending.start..<end])
            pending.start = end
            if 2 * end >= pending.background.count {
                pending.background.removeFirst(end)
                pending.start = 0
            }
            return (taken.isEmpty ? [] : [.load(taken)], !pending.background.isEmpty)
        }
        for work in work { carryOut(work) }
        // A block of its own, so that what was given meanwhile comes first.
        if isMore { awaitTurn(carryOut) }
    }

    private func takeAll() -> [Work] {
        pending.withLock { pending in
            let taken = pending.work
            pending.work = []
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
