import CWire
import LociBase
import LociModel

// What coordinators ask and only shards answer, as protobuf-c lays it out: field for field.

extension Hello {
    init(_ layout: Loci__Hello) {
        unsafe self.init(
            clusterID: layout.cluster_id, shard: layout.shard, partitions: layout.partitions,
            shards: layout.shards)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Hello> {
        unsafe arena.place(
            Loci__Hello(
                base: ProtobufCMessage(), cluster_id: clusterID, shard: shard,
                partitions: partitions, shards: shards),
            loci__hello__init)
    }
}

extension Welcome {
    init(_ layout: Loci__Welcome) {
        unsafe self.init(
            catalogVersion: layout.catalog_version)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Welcome> {
        unsafe arena.place(
            Loci__Welcome(
                base: ProtobufCMessage(), catalog_version: catalogVersion),
            loci__welcome__init)
    }
}

extension Pong {
    init(_ layout: Loci__Pong) throws(LociError) {
        unsafe self.init(
            catalogVersion: layout.catalog_version, vitals: try ShardVitals(layout.vitals))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Pong> {
        unsafe arena.place(
            Loci__Pong(
                base: ProtobufCMessage(), catalog_version: catalogVersion,
                vitals: vitals.layout(in: arena)),
            loci__pong__init)
    }
}

extension Install {
    init(_ layout: Loci__Install) {
        unsafe self.init(
            version: layout.version)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Install> {
        unsafe arena.place(
            Loci__Install(
                base: ProtobufCMessage(), version: version),
            loci__install__init)
    }
}

extension ShardRead {
    init(_ layout: Loci__ShardRead) throws(LociError) {
        unsafe self.init(
            space: layout.space, maxTier: try Tier(decodedIfAny: layout.max_tier),
            identity: layout.identity, withTiers: layout.with_tiers != 0,
            session: layout.session)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardRead> {
        unsafe arena.place(
            Loci__ShardRead(
                base: ProtobufCMessage(), space: space, max_tier: maxTier?.code ?? 0,
                identity: identity, with_tiers: withTiers ? 1 : 0, session: session),
            loci__shard_read__init)
    }
}

extension ShardWrite {
    init(_ layout: Loci__ShardWrite) {
        unsafe self.init(
            space: layout.space, partition: layout.partition)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardWrite> {
        unsafe arena.place(
            Loci__ShardWrite(
                base: ProtobufCMessage(), space: space, partition: partition),
            loci__shard_write__init)
    }
}

extension Claim {
    init(_ layout: Loci__Claim) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, isLookup: layout.is_lookup != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Claim> {
        unsafe arena.place(
            Loci__Claim(
                base: ProtobufCMessage(), space: space, partition: partition,
                is_lookup: isLookup ? 1 : 0),
            loci__claim__init)
    }
}

extension Claimed {
    init(_ layout: Loci__Claimed) {
        unsafe self.init(
            count: layout.count)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Claimed> {
        unsafe arena.place(
            Loci__Claimed(
                base: ProtobufCMessage(), count: count),
            loci__claimed__init)
    }
}

extension Settle {
    init(_ layout: Loci__Settle) {
        unsafe self.init(
            space: layout.space, partition: layout.partition)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Settle> {
        unsafe arena.place(
            Loci__Settle(
                base: ProtobufCMessage(), space: space, partition: partition),
            loci__settle__init)
    }
}

extension Put {
    init(_ layout: Loci__Put) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, generation: layout.generation)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Put> {
        unsafe arena.place(
            Loci__Put(
                base: ProtobufCMessage(), space: space, partition: partition,
                generation: generation),
            loci__put__init)
    }
}

extension Remove {
    init(_ layout: Loci__Remove) {
        unsafe self.init(
            space: layout.space, partition: layout.partition)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Remove> {
        unsafe arena.place(
            Loci__Remove(
                base: ProtobufCMessage(), space: space, partition: partition),
            loci__remove__init)
    }
}

extension Plant {
    init(_ layout: Loci__Plant) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, generation: layout.generation)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Plant> {
        unsafe arena.place(
            Loci__Plant(
                base: ProtobufCMessage(), space: space, partition: partition,
                generation: generation),
            loci__plant__init)
    }
}

extension AskNews {
    init(_ layout: Loci__AskNews) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, since: layout.since,
            isContinued: layout.is_continued != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__AskNews> {
        unsafe arena.place(
            Loci__AskNews(
                base: ProtobufCMessage(), space: space, partition: partition, since: since,
                is_continued: isContinued ? 1 : 0),
            loci__ask_news__init)
    }
}

extension News {
    init(_ layout: Loci__News) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, since: layout.since,
            version: layout.version, hasMore: layout.has_more != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__News> {
        unsafe arena.place(
            Loci__News(
                base: ProtobufCMessage(), space: space, partition: partition, since: since,
                version: version, has_more: hasMore ? 1 : 0),
            loci__news__init)
    }
}

extension ShardQuery {
    init(_ layout: Loci__ShardQuery) throws(LociError) {
        unsafe self.init(
            space: layout.space, k: layout.k, withPayload: layout.with_payload != 0,
            withVector: layout.with_vector != 0,
            maxTier: try Tier(decodedIfAny: layout.max_tier),
            filter: try String(decoded: layout.filter), bound: try finite(layout.bound),
            selectiveShare: try finite(layout.selective_share))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardQuery> {
        unsafe arena.place(
            Loci__ShardQuery(
                base: ProtobufCMessage(), space: space, k: k, with_payload: withPayload ? 1 : 0,
                with_vector: withVector ? 1 : 0, max_tier: maxTier?.code ?? 0,
                filter: arena.bytes(filter), bound: bound, selective_share: selectiveShare),
            loci__shard_query__init)
    }
}

extension Fetch {
    init(_ layout: Loci__Fetch) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, withVector: layout.with_vector != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Fetch> {
        unsafe arena.place(
            Loci__Fetch(
                base: ProtobufCMessage(), space: space, partition: partition,
                with_vector: withVector ? 1 : 0),
            loci__fetch__init)
    }
}

extension ShardScroll {
    init(_ layout: Loci__ShardScroll) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, from: layout.from,
            limit: layout.limit, withVector: layout.with_vector != 0, idsOnly: layout.ids_only != 0,
            generationBelow: layout.generation_below,
            sampleSeed: layout.sample_seed)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardScroll> {
        unsafe arena.place(
            Loci__ShardScroll(
                base: ProtobufCMessage(), space: space, partition: partition, from: from,
                limit: limit, with_vector: withVector ? 1 : 0, ids_only: idsOnly ? 1 : 0,
                generation_below: generationBelow,
                sample_seed: sampleSeed),
            loci__shard_scroll__init)
    }
}

extension ShardCount {
    init(_ layout: Loci__ShardCount) {
        unsafe self.init(
            space: layout.space)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardCount> {
        unsafe arena.place(
            Loci__ShardCount(
                base: ProtobufCMessage(), space: space),
            loci__shard_count__init)
    }
}
