import Dispatch
import LociStorage
import LociTiering
import Synchronization

/// Page-ins of one call, on several threads at once.
struct ParallelReads: Sendable {
    /// One thread each.
    private let queues: [DispatchQueue]

    init(threads: Int, label: String) {
        precondition(threads > 0)
        queues = (0..<threads).map { DispatchQueue(label: "\(label).\($0)") }
    }

    /// Answers in the order of the requests.
    func read(
        _ requests: [PageRequest], from store: SliceStore, into arena: PageArena
    ) -> [PageAnswer] {
        let parts = min(queues.count, requests.count)
        if parts <= 1 { return store.readPages(requests, into: arena) }
        let found = Answers(parts: parts)
        let group = DispatchGroup()
        for part in 0..<parts {
            let range =
                (requests.count * part / parts)..<(requests.count * (part + 1) / parts)
            queues[part].async(group: group) {
                let answers = store.readPages(Array(requests[range]), into: arena)
                found.parts.withLock { $0[part] = answers }
            }
        }
        group.wait()
        return found.parts.withLock { $0.flatMap { $0 } }
    }
}

/// What threads have found, part by part.
private final class Answers: Sendable {
    let parts: Mutex<[[PageAnswer]]>

    init(parts: Int) { self.parts = Mutex([[PageAnswer]](repeating: [], count: parts)) }
}
