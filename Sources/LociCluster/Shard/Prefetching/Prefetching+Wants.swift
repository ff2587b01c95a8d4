import LociBase
import LociModel
import LociTiering
import LociWire

/// Who wants a page, and whose memory it takes.
extension Prefetching {
    // MARK: Wants

    /// A batch does not want a page any more. True if nobody does: the want is gone.
    mutating func leave(_ address: PageAddress, _ number: UInt64) -> Bool {
        let isCharged = wants[address]!.charged == number
        if isCharged { uncharge(address) }
        wants[address]!.remove(number)
        let isWanted = wants[address]!.isWanted
        if !isWanted {
            wants[address] = nil
        } else if isCharged {
            charge(address, to: wants[address]!.batches[0])
        }
        release(number)
        return !isWanted
    }

    /// Ends a want.
    mutating func finish(_ address: PageAddress) {
        guard wants[address] != nil else { return }
        uncharge(address)
        let want = wants.removeValue(forKey: address)!
        for number in want.batches { release(number) }
    }

    private mutating func release(_ number: UInt64) {
        batches[number]!.open -= 1
        clients.remove(references: 1, of: batches[number]!.client)
        closeIfOver(number)
    }

    mutating func closeIfOver(_ number: UInt64) {
        if batches[number]!.open == 0, batches[number]!.isJoined { close(number) }
    }

    mutating func close(_ number: UInt64) {
        guard let batch = batches.removeValue(forKey: number) else { return }
        clients.end(batch.client)
        if let ticket = batch.ticket { tickets.close(number, of: ticket) }
    }

    mutating func change(
        _ ticket: UInt64?, _ now: Instant, _ body: (inout TicketAnswer) -> Void
    ) {
        tickets.change(ticket, at: now, body)
    }

    // MARK: Parts of memory

    /// Whether there is memory left for a page of a batch's client, which others who have more than
    /// their part give up for one that has less: what has been kept longest for whoever has most.
    mutating func makeShare(
        _ need: PageNeed, for number: UInt64, _ pages: inout PageTable
    ) -> Bool {
        let client = batches[number]!.client
        let byteCount = PageArena.frameBytes(for: need.pageBytes)
        let part = max(byteCount, pages.budgetBytes / PageTable.toldShare / clients.count)
        while !pages.isToldShareLeft(for: need.pageBytes) {
            guard clients.bytes(of: client) + byteCount <= part,
                let other = clients.mostBeyond(part), let oldest = oldestKept(of: other)
            else { return false }
            pages.unkeep(oldest)
            finish(oldest)
        }
        return true
    }

    private mutating func oldestKept(of client: PrefetchClient) -> PageAddress? {
        let wants = self.wants
        return clients.oldestKept(of: client) { Self.isKept($0, wants) }
    }

    private static func isKept(
        _ kept: PrefetchClients.Kept, _ wants: [PageAddress: PrefetchWant]
    ) -> Bool {
        guard let want = wants[kept.address], case .kept = want.state else { return false }
        return want.charged == kept.batch
    }

    /// A page takes memory of the batch's client from now on.
    mutating func charge(_ address: PageAddress, to number: UInt64) {
        let bytes = PageArena.frameBytes(for: wants[address]!.need.pageBytes)
        wants[address]!.charged = number
        clients.add(bytes: bytes, to: batches[number]!.client)
        if case .kept = wants[address]!.state { noteKept(address) }
    }

    mutating func uncharge(_ address: PageAddress) {
        guard let number = wants[address]!.charged else { return }
        wants[address]!.charged = nil
        let bytes = PageArena.frameBytes(for: wants[address]!.need.pageBytes)
        clients.remove(bytes: bytes, of: batches[number]!.client)
    }

    mutating func noteKept(_ address: PageAddress) {
        let number = wants[address]!.charged!
        let wants = self.wants
        clients.keep(
            PrefetchClients.Kept(address: address, batch: number), of: batches[number]!.client
        ) { Self.isKept($0, wants) }
    }
}
