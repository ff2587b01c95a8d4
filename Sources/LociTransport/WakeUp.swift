import CLinux
import Glibc

/// Wakes a thread that sleeps in `Poller.wait`: any thread signals, the woken one drains.
public final class WakeUp: Sendable {
    let descriptor: Int32

    public init() throws(TransportError) {
        descriptor = loci_eventfd_create()
        guard descriptor >= 0 else { throw TransportError(number: errno, "a wake-up descriptor") }
    }

    deinit { close(descriptor) }

    /// Signals that come before the next `drain` count as one.
    public func signal() { _ = loci_eventfd_signal(descriptor) }

    public func drain() { _ = loci_eventfd_drain(descriptor) }
}
