/// A device that fetches pages in virtual time. A fetch takes one of a few channels for the
/// device's latency, then its bytes cross one link, one page after the other. Demand goes first:
/// it never waits in the queue, and one channel is always kept for it; but it waits for bytes that
/// are already on the link. Prefetches wait in a bounded queue for a channel.
struct ModelledDevice {
    struct Fetch {
        let page: Int32
        let finish: UInt64
    }

    let costs: PrefetchTrial.Costs
    private(set) var inFlight: [Fetch] = []
    private var queue: [Int32] = []
    private var linkIsFreeAt: UInt64 = 0
    /// Prefetches that were begun since this was last emptied.
    var begun: [Int32] = []

    init(costs: PrefetchTrial.Costs) { self.costs = costs }

    func isQueued(_ page: Int32) -> Bool { queue.contains(page) }

    func finish(of page: Int32) -> UInt64? { inFlight.first { $0.page == page }?.finish }

    /// False: there is no room.
    mutating func enqueue(_ page: Int32, now: UInt64) -> Bool {
        guard queue.count < costs.queueLength else { return false }
        queue.append(page)
        startQueued(at: now)
        return true
    }

    mutating func cancelQueued(_ page: Int32) { queue.removeAll { $0 == page } }

    /// When a page that is asked for now is there.
    mutating func demand(at now: UInt64) -> UInt64 { transfer(startedAt: now) }

    /// The next prefetch that is done at a time or before, if there is one.
    mutating func takeFinished(by time: UInt64) -> Fetch? {
        var earliest = -1
        for index in inFlight.indices where inFlight[index].finish <= time {
            if earliest < 0 || inFlight[index].finish < inFlight[earliest].finish {
                earliest = index
            }
        }
        guard earliest >= 0 else { return nil }
        let fetch = inFlight.remove(at: earliest)
        startQueued(at: fetch.finish)
        return fetch
    }

    private mutating func startQueued(at time: UInt64) {
        while inFlight.count < costs.channels - 1, !queue.isEmpty {
            let page = queue.removeFirst()
            begun.append(page)
            inFlight.append(Fetch(page: page, finish: transfer(startedAt: time)))
        }
    }

    private mutating func transfer(startedAt time: UInt64) -> UInt64 {
        let finish = max(time + costs.latency, linkIsFreeAt) + costs.transfer
        linkIsFreeAt = finish
        return finish
    }
}
