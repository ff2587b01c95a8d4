import CZeroMQ
import Glibc

/// Sleeps until one of several sockets and wake-ups has something to be received. It keeps what was
/// added alive. Used by one thread only.
@safe public final class Poller {
    /// The place of a socket or wake-up in its poller, from 0 in the order of being added.
    public typealias Slot = Int

    private var items: [zmq_pollitem_t]
    private var owners: [AnyObject] = []

    public init() { unsafe items = [] }

    @discardableResult public func add(_ router: RouterSocket) -> Slot {
        unsafe append(
            zmq_pollitem_t(socket: router.socket.pointer, fd: 0, events: readable, revents: 0),
            router)
    }

    @discardableResult public func add(_ dealer: DealerSocket) -> Slot {
        unsafe append(
            zmq_pollitem_t(socket: dealer.socket.pointer, fd: 0, events: readable, revents: 0),
            dealer)
    }

    @discardableResult public func add(_ wakeUp: WakeUp) -> Slot {
        unsafe append(
            zmq_pollitem_t(socket: nil, fd: wakeUp.descriptor, events: readable, revents: 0), wakeUp
        )
    }

    private func append(_ item: zmq_pollitem_t, _ owner: AnyObject) -> Slot {
        unsafe items.append(item)
        owners.append(owner)
        return owners.count - 1
    }

    /// - Parameter timeoutMilliseconds: 0 returns at once, a negative one waits for ever.
    /// - Returns: The slots that have something to be received, in their order; none after the
    ///   timeout or a signal to the process.
    public func wait(timeoutMilliseconds: Int) throws(TransportError) -> [Slot] {
        let count = unsafe zmq_poll(&items, Int32(items.count), timeoutMilliseconds)
        guard count >= 0 else {
            if zmq_errno() == EINTR { return [] }
            throw .last("the poller")
        }
        var ready: [Slot] = []
        if count == 0 { return ready }
        for slot in unsafe items.indices where unsafe items[slot].revents != 0 {
            ready.append(slot)
        }
        return ready
    }
}

private let readable = Int16(ZMQ_POLLIN)
