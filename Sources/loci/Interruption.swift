import Dispatch
import Glibc
import Synchronization

/// Notes that somebody wants the program to end. The first SIGINT or SIGTERM lets what has begun
/// come to its end; the second one ends the program at once.
final class Interruption {
    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    private let flag = Flag()
    private let sources: [any DispatchSourceSignal]
    /// As shells have it: 128 and the number of SIGINT.
    private static let exitCode: Int32 = 130

    init() {
        let queue = DispatchQueue(label: "loci.signals")
        sources = [SIGTERM, SIGINT].map { number in
            _ = signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler { [flag] in
                if flag.isSet.exchange(true, ordering: .acquiringAndReleasing) {
                    _exit(Self.exitCode)
                }
            }
            source.resume()
        }
    }

    var hasCome: Bool { flag.isSet.load(ordering: .acquiring) }
}
