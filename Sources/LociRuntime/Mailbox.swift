import LociTransport
import Synchronization

/// Where threads put what the deciding thread is to be told; wakes it.
final class Mailbox<Event: Sendable>: Sendable {
    let wakeUp: WakeUp
    private let events = Mutex<[Event]>([])

    init() throws(TransportError) { wakeUp = try WakeUp() }

    func post(_ event: Event) {
        let wasEmpty = events.withLock { events in
            events.append(event)
            return events.count == 1
        }
        if wasEmpty { wakeUp.signal() }
    }

    /// Everything that was posted since the last time, in order.
    func takeAll() -> [Event] {
        wakeUp.drain()
        return events.withLock { events in
            let taken = events
            events.removeAll(keepingCapacity: true)
            return taken
        }
    }
}
