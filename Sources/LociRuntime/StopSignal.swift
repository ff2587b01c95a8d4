import Dispatch
import Glibc
import LociTransport
import Synchronization

/// Turns SIGTERM and SIGINT into a flag that the deciding thread sees, and wakes it.
final class StopSignal {
    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    private let flag = Flag()
    private let sources: [any DispatchSourceSignal]

    init(waking wakeUp: WakeUp) {
        let queue = DispatchQueue(label: "loci.signals")
        sources = [SIGTERM, SIGINT].map { number in
            _ = signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler { [flag] in
                flag.isSet.store(true, ordering: .releasing)
                wakeUp.signal()
            }
            source.resume()
        }
    }

    var isSet: Bool { flag.isSet.load(ordering: .acquiring) }
}
