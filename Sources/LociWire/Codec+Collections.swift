import CWire
import LociBase
import LociModel

// Reports and tuning of collections as protobuf-c lays them out: field for field.

extension CollectionInfo {
    init(_ layout: Loci__CollectionInfo) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CollectionInfo> {
        unsafe arena.place(
            Loci__CollectionInfo(
                base: ProtobufCMessage(), collection: arena.bytes(collection)),
            loci__collection_info__init)
    }
}

extension ShardCollectionInfo {
    init(_ layout: Loci__ShardCollectionInfo) {
        unsafe self.init(
            space: layout.space)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardCollectionInfo> {
        unsafe arena.place(
            Loci__ShardCollectionInfo(
                base: ProtobufCMessage(), space: space),
            loci__shard_collection_info__init)
    }
}

extension CollectionReport {
    init(_ layout: Loci__CollectionReport) throws(LociError) {
        self.init()
        points = unsafe layout.points
        locations = unsafe layout.locations
        generation = unsafe layout.generation
        rows = unsafe layout.rows
        staleRows = unsafe layout.stale_rows
        splits = unsafe layout.splits
        merges = unsafe layout.merges
        moved = unsafe layout.moved
        evaluated = unsafe layout.evaluated
        longestPosting = unsafe layout.longest_posting
        postingLengths = unsafe Array(
            UnsafeBufferPointer(start: layout.posting_lengths, count: layout.n_posting_lengths))
        codeBytes = unsafe layout.code_bytes
        vectorBytes = unsafe layout.vector_bytes
        payloadBytes = unsafe layout.payload_bytes
        indexBytes = unsafe layout.index_bytes
        tableBytes = unsafe layout.table_bytes
        locationBytes = unsafe layout.location_bytes
        copies = unsafe layout.copies
        shards = unsafe layout.shards
        tiers = unsafe try elements(layout.tiers, layout.n_tiers, TierBytes.init)
        guard Set(tiers.map(\.tier)).count == tiers.count else {
            throw LociError(.invalidArgument, "A report names a tier twice.")
        }
        isUnroutable = unsafe layout.is_unroutable != 0
        meanPartitions = unsafe try finite(layout.mean_partitions)
        recallEstimate = unsafe try finite(layout.recall_estimate)
        tuning = unsafe try elements(layout.tuning, layout.n_tuning, RecallSetting.init)
        receipt = unsafe try Receipt(layout.receipt)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CollectionReport> {
        unsafe arena.place(
            Loci__CollectionReport(
                base: ProtobufCMessage(), points: points, locations: locations,
                generation: generation, rows: rows, stale_rows: staleRows, splits: splits,
                merges: merges, moved: moved, evaluated: evaluated, longest_posting: longestPosting,
                n_posting_lengths: postingLengths.count,
                posting_lengths: arena.array(postingLengths), code_bytes: codeBytes,
                vector_bytes: vectorBytes, payload_bytes: payloadBytes, index_bytes: indexBytes,
                table_bytes: tableBytes, location_bytes: locationBytes, copies: copies,
                shards: shards, n_tiers: tiers.count,
                tiers: arena.array(tiers.map { unsafe $0.layout(in: arena) }),
                is_unroutable: isUnroutable ? 1 : 0, mean_partitions: meanPartitions,
                recall_estimate: recallEstimate, n_tuning: tuning.count,
                tuning: arena.array(tuning.map { unsafe $0.layout(in: arena) }),
                receipt: receipt.layout(in: arena)),
            loci__collection_report__init)
    }
}

extension TierBytes {
    init(_ layout: Loci__TierBytes) throws(LociError) {
        unsafe self.init(tier: try Tier(decoded: layout.tier), bytes: layout.bytes)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__TierBytes> {
        unsafe arena.place(
            Loci__TierBytes(base: ProtobufCMessage(), tier: tier.code, bytes: bytes),
            loci__tier_bytes__init)
    }
}

extension RecallSetting {
    init(_ layout: Loci__RecallSetting) throws(LociError) {
        unsafe self.init(
            recall: try finite(layout.recall), probes: layout.probes,
            radius: try finite(layout.radius))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__RecallSetting> {
        unsafe arena.place(
            Loci__RecallSetting(
                base: ProtobufCMessage(), recall: recall, probes: probes, radius: radius),
            loci__recall_setting__init)
    }
}

extension StoreTuning {
    init(_ layout: Loci__StoreTuning) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection),
            tuning: try elements(layout.tuning, layout.n_tuning, RecallSetting.init))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__StoreTuning> {
        unsafe arena.place(
            Loci__StoreTuning(
                base: ProtobufCMessage(), collection: arena.bytes(collection),
                n_tuning: tuning.count,
                tuning: arena.array(tuning.map { unsafe $0.layout(in: arena) })),
            loci__store_tuning__init)
    }
}
