import Dispatch
import Glibc
import LociTransport
import Synchronization

/// Turns SIGTERM and SIGINT into a flag that the deciding thread sees, and wakes it.
final class StopSignal: Sendable {
    private let isRequested = Atomic(false)
    private let sources: [any DispatchSourceSignal & Sendable]

    init(waking wakeUp: WakeUp) {
        let queue = DispatchQueue(label: "loci.signals")
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler { [unowned self] in
                self.isRequested.store(true, ordering: .releasing)
                wakeUp.signal()
            }
            source.resume()
        }
    }

    var isSet: Bool { isRequested.load(ordering: .acquiring) }
}
