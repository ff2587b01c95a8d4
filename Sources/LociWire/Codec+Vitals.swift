import CWire
import LociBase
import LociModel

// What servers report of themselves, as protobuf-c lays it out: field for field.

extension ShardVitals {
    /// One that the sender left out is all zero.
    /// - Throws: INVALID_ARGUMENT if a tier is unknown.
    init(_ pointer: UnsafeMutablePointer<Loci__ShardVitals>?) throws(LociError) {
        self.init()
        guard let layout = unsafe pointer?.pointee else { return }
        partitions = unsafe layout.partitions
        points = unsafe layout.points
        residentBytes = unsafe layout.resident_bytes
        budgetBytes = unsafe layout.budget_bytes
        pagesRequested = unsafe layout.pages_requested
        pagesHit = unsafe layout.pages_hit
        logBytes = unsafe layout.log_bytes
        requestsInFlight = unsafe layout.requests_in_flight
        rejectedMessages = unsafe layout.rejected_messages
        tiers = unsafe try elements(layout.tiers, layout.n_tiers, TierVitals.init)
        pagesVerified = unsafe layout.pages_verified
        pagesDamaged = unsafe layout.pages_damaged
        overflowBytes = unsafe layout.overflow_bytes
        isFull = unsafe layout.is_full != 0
        told = unsafe PrefetchTally(layout.told)
        guessed = unsafe PrefetchTally(layout.guessed)
        hinted = unsafe PrefetchTally(layout.hinted)
        gossip = unsafe GossipVitals(layout.gossip)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardVitals> {
        unsafe arena.place(
            Loci__ShardVitals(
                base: ProtobufCMessage(), partitions: partitions, points: points,
                resident_bytes: residentBytes, budget_bytes: budgetBytes,
                pages_requested: pagesRequested, pages_hit: pagesHit, log_bytes: logBytes,
                requests_in_flight: requestsInFlight, rejected_messages: rejectedMessages,
                n_tiers: tiers.count,
                tiers: arena.array(tiers.map { unsafe $0.layout(in: arena) }),
                pages_verified: pagesVerified, pages_damaged: pagesDamaged,
                overflow_bytes: overflowBytes, is_full: isFull ? 1 : 0,
                told: told.layout(in: arena), guessed: guessed.layout(in: arena),
                hinted: hinted.layout(in: arena), gossip: gossip.layout(in: arena)),
            loci__shard_vitals__init)
    }
}

extension TierVitals {
    init(_ layout: Loci__TierVitals) throws(LociError) {
        self.init(try Tier(decoded: unsafe layout.tier))
        residentBytes = unsafe layout.resident_bytes
        budgetBytes = unsafe layout.budget_bytes
        requests = unsafe layout.requests
        hits = unsafe layout.hits
        movedIn = unsafe layout.moved_in
        movedOut = unsafe layout.moved_out
        isEmulated = unsafe layout.is_emulated != 0
        dirtyBytes = unsafe layout.dirty_bytes
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__TierVitals> {
        unsafe arena.place(
            Loci__TierVitals(
                base: ProtobufCMessage(), tier: tier.code, resident_bytes: residentBytes,
                budget_bytes: budgetBytes, requests: requests, hits: hits, moved_in: movedIn,
                moved_out: movedOut, is_emulated: isEmulated ? 1 : 0, dirty_bytes: dirtyBytes),
            loci__tier_vitals__init)
    }
}

extension PrefetchTally {
    /// One that the sender left out is all zero.
    init(_ pointer: UnsafeMutablePointer<Loci__PrefetchTally>?) {
        self.init()
        guard let layout = unsafe pointer?.pointee else { return }
        issued = unsafe layout.issued
        used = unsafe layout.used
        late = unsafe layout.late
        wasted = unsafe layout.wasted
        dropped = unsafe layout.dropped
        bytes = unsafe layout.bytes
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__PrefetchTally> {
        unsafe arena.place(
            Loci__PrefetchTally(
                base: ProtobufCMessage(), issued: issued, used: used, late: late, wasted: wasted,
                dropped: dropped, bytes: bytes),
            loci__prefetch_tally__init)
    }
}

extension GossipVitals {
    /// One that the sender left out is all zero.
    init(_ pointer: UnsafeMutablePointer<Loci__GossipVitals>?) {
        self.init()
        guard let layout = unsafe pointer?.pointee else { return }
        rounds = unsafe layout.rounds
        messages = unsafe layout.messages
        bytesSent = unsafe layout.bytes_sent
        bytesReceived = unsafe layout.bytes_received
        entries = unsafe layout.entries
        dropped = unsafe layout.dropped
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__GossipVitals> {
        unsafe arena.place(
            Loci__GossipVitals(
                base: ProtobufCMessage(), rounds: rounds, messages: messages,
                bytes_sent: bytesSent, bytes_received: bytesReceived, entries: entries,
                dropped: dropped),
            loci__gossip_vitals__init)
    }
}
