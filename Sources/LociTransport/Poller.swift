import Glibc

/// Sleeps until one of several sockets and wake-ups has something to be received. It keeps what was
/// added alive. Used by one thread only.
///
/// Why not `zmq_poll`: it asks every socket before it sleeps and again afterwards, each time with
/// several system calls; with five sockets that was half of all system calls of a coordinator.
///
/// Invariants:
/// - A socket's descriptor becomes readable when its I/O thread has news. Any call on the socket
///   may take the news in, after which the descriptor says nothing any more. So a socket is asked
///   itself unless its last call was a receive that found nothing.
@safe public final class Poller {
    /// The place of a socket or wake-up in its poller, from 0 in the order of being added.
    public typealias Slot = Int

    private enum Source {
        case router(RouterSocket)
        case dealer(DealerSocket)
        case wakeUp(WakeUp)
    }

    private var sources: [Source] = []
    private var descriptors: [pollfd] = []

    public init() {}

    @discardableResult public func add(_ router: RouterSocket) -> Slot {
        append(.router(router), router.socket.descriptor)
    }

    @discardableResult public func add(_ dealer: DealerSocket) -> Slot {
        append(.dealer(dealer), dealer.socket.descriptor)
    }

    @discardableResult public func add(_ wakeUp: WakeUp) -> Slot {
        append(.wakeUp(wakeUp), wakeUp.descriptor)
    }

    private func append(_ source: Source, _ descriptor: Int32) -> Slot {
        sources.append(source)
        descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        return sources.count - 1
    }

    /// - Parameter timeoutMilliseconds: 0 returns at once, a negative one waits for ever.
    /// - Returns: The slots that have something to be received, in their order; none after the
    ///   timeout or a signal to the process.
    public func wait(timeoutMilliseconds: Int) throws(TransportError) -> [Slot] {
        var ready = sources.indices.filter { !isDrained($0) && hasInput($0) }
        let end = ContinuousClock.now + .milliseconds(max(timeoutMilliseconds, 0))
        var timeout = ready.isEmpty ? timeoutMilliseconds : 0
        while true {
            let milliseconds = Int32(clamping: timeout)
            let count = unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds)
            guard count >= 0 else {
                if errno == EINTR { return ready }
                throw .last("the poller")
            }
            if count == 0 { return ready }
            for slot in descriptors.indices
            where descriptors[slot].revents != 0 && !ready.contains(slot) && hasInput(slot) {
                ready.append(slot)
            }
            if !ready.isEmpty { return ready.sorted() }
            // News that are no messages: a connection was made, say.
            if timeoutMilliseconds < 0 { continue }
            let (seconds, attoseconds) = (end - ContinuousClock.now).components
            timeout = Int(
                seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
            if timeout <= 0 { return ready }
        }
    }

    private func isDrained(_ slot: Slot) -> Bool {
        switch sources[slot] {
        case .router(let router): router.isDrained
        case .dealer(let dealer): dealer.isDrained
        case .wakeUp: true
        }
    }

    /// Asks the socket itself, which takes its news in.
    private func hasInput(_ slot: Slot) -> Bool {
        switch sources[slot] {
        case .router(let router):
            router.isDrained = !router.socket.hasInput
            return !router.isDrained
        case .dealer(let dealer):
            dealer.isDrained = !dealer.socket.hasInput
            return !dealer.isDrained
        case .wakeUp: return true
        }
    }
}
