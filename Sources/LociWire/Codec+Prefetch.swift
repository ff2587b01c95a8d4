import CWire
import LociBase
import LociModel

// Prefetching, placement and gossip as protobuf-c lays them out: field for field.

extension PrefetchCells {
    init(_ layout: Loci__PrefetchCells) throws(LociError) {
        unsafe self.init(
            field: try String(decoded: layout.field), first: layout.first, count: layout.count,
            isScattered: layout.is_scattered != 0, identity: layout.identity,
            ticket: layout.ticket, lifetimeMicroseconds: layout.lifetime_microseconds,
            neededInMicroseconds: layout.needed_in_microseconds)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__PrefetchCells> {
        unsafe arena.place(
            Loci__PrefetchCells(
                base: ProtobufCMessage(), field: arena.bytes(field), first: first, count: count,
                is_scattered: isScattered ? 1 : 0, identity: identity, ticket: ticket,
                lifetime_microseconds: lifetimeMicroseconds,
                needed_in_microseconds: neededInMicroseconds),
            loci__prefetch_cells__init)
    }
}

extension ReleaseCells {
    init(_ layout: Loci__ReleaseCells) throws(LociError) {
        unsafe self.init(
            field: try String(decoded: layout.field), first: layout.first, count: layout.count,
            isScattered: layout.is_scattered != 0, identity: layout.identity,
            neededInMicroseconds: layout.needed_in_microseconds)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ReleaseCells> {
        unsafe arena.place(
            Loci__ReleaseCells(
                base: ProtobufCMessage(), field: arena.bytes(field), first: first, count: count,
                is_scattered: isScattered ? 1 : 0, identity: identity,
                needed_in_microseconds: neededInMicroseconds),
            loci__release_cells__init)
    }
}

extension Ticket {
    init(_ layout: Loci__Ticket) {
        unsafe self.init(ticket: layout.ticket, isCancelled: layout.is_cancelled != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Ticket> {
        unsafe arena.place(
            Loci__Ticket(
                base: ProtobufCMessage(), ticket: ticket, is_cancelled: isCancelled ? 1 : 0),
            loci__ticket__init)
    }
}

extension TicketAnswer {
    init(_ layout: Loci__TicketAnswer) throws(LociError) {
        self.init(ticket: unsafe layout.ticket)
        pages = unsafe layout.pages
        resident = unsafe layout.resident
        waiting = unsafe layout.waiting
        loading = unsafe layout.loading
        arrived = unsafe layout.arrived
        expired = unsafe layout.expired
        cancelled = unsafe layout.cancelled
        failed = unsafe layout.failed
        receipt = unsafe try Receipt(layout.receipt)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__TicketAnswer> {
        unsafe arena.place(
            Loci__TicketAnswer(
                base: ProtobufCMessage(), ticket: ticket, pages: pages, resident: resident,
                waiting: waiting, loading: loading, arrived: arrived, expired: expired,
                cancelled: cancelled, failed: failed, receipt: receipt.layout(in: arena)),
            loci__ticket_answer__init)
    }
}

extension ShardPrefetch {
    init(_ layout: Loci__ShardPrefetch) {
        unsafe self.init(
            space: layout.space, identity: layout.identity, ticket: layout.ticket,
            client: layout.client, lifetimeMicroseconds: layout.lifetime_microseconds,
            neededInMicroseconds: layout.needed_in_microseconds)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardPrefetch> {
        unsafe arena.place(
            Loci__ShardPrefetch(
                base: ProtobufCMessage(), space: space, identity: identity, ticket: ticket,
                client: client, lifetime_microseconds: lifetimeMicroseconds,
                needed_in_microseconds: neededInMicroseconds),
            loci__shard_prefetch__init)
    }
}

extension ShardRelease {
    init(_ layout: Loci__ShardRelease) {
        unsafe self.init(
            space: layout.space, identity: layout.identity,
            neededInMicroseconds: layout.needed_in_microseconds)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardRelease> {
        unsafe arena.place(
            Loci__ShardRelease(
                base: ProtobufCMessage(), space: space, identity: identity,
                needed_in_microseconds: neededInMicroseconds),
            loci__shard_release__init)
    }
}

extension PlacementAnswer {
    init(_ layout: Loci__PlacementAnswer) throws(LociError) {
        unsafe self.init(
            clusterID: layout.cluster_id, partitions: layout.partitions,
            shards: try elements(layout.shards, layout.n_shards, ShardPlace.init))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__PlacementAnswer> {
        unsafe arena.place(
            Loci__PlacementAnswer(
                base: ProtobufCMessage(), cluster_id: clusterID, partitions: partitions,
                n_shards: shards.count,
                shards: arena.array(shards.map { unsafe $0.layout(in: arena) })),
            loci__placement_answer__init)
    }
}

extension ShardPlace {
    init(_ layout: Loci__ShardPlace) throws(LociError) {
        unsafe self.init(
            endpoint: try String(decoded: layout.endpoint), incarnation: layout.incarnation)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardPlace> {
        unsafe arena.place(
            Loci__ShardPlace(
                base: ProtobufCMessage(), endpoint: arena.bytes(endpoint),
                incarnation: incarnation),
            loci__shard_place__init)
    }
}

extension Hint {
    init(_ layout: Loci__Hint) {
        self.init(timeToLiveMicroseconds: unsafe layout.time_to_live_microseconds)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Hint> {
        unsafe arena.place(
            Loci__Hint(
                base: ProtobufCMessage(), time_to_live_microseconds: timeToLiveMicroseconds),
            loci__hint__init)
    }
}

extension Gossip {
    init(_ layout: Loci__Gossip) { self.init(node: unsafe layout.node) }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Gossip> {
        unsafe arena.place(
            Loci__Gossip(base: ProtobufCMessage(), node: node), loci__gossip__init)
    }
}
