import CWire
import LociBase
import LociModel

// Answers as protobuf-c lays them out: field for field.

extension Acknowledged {
    init(_ layout: Loci__Acknowledged) throws(LociError) {
        unsafe self.init(
            count: layout.count, receipt: try Receipt(layout.receipt),
            locationsVersion: layout.locations_version)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Acknowledged> {
        unsafe arena.place(
            Loci__Acknowledged(
                base: ProtobufCMessage(), count: count, receipt: receipt.layout(in: arena),
                locations_version: locationsVersion),
            loci__acknowledged__init)
    }
}

extension CatalogAnswer {
    init(_ layout: Loci__CatalogAnswer) {
        unsafe self.init(
            version: layout.version)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CatalogAnswer> {
        unsafe arena.place(
            Loci__CatalogAnswer(
                base: ProtobufCMessage(), version: version),
            loci__catalog_answer__init)
    }
}

extension StatusAnswer {
    init(_ layout: Loci__StatusAnswer) throws(LociError) {
        unsafe self.init(
            clusterID: layout.cluster_id, incarnation: layout.incarnation,
            partitions: layout.partitions, requestsInFlight: layout.requests_in_flight,
            shards: try elements(layout.shards, layout.n_shards, ShardStatus.init),
            collections: try elements(
                layout.collections, layout.n_collections, CollectionStatus.init))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__StatusAnswer> {
        unsafe arena.place(
            Loci__StatusAnswer(
                base: ProtobufCMessage(), cluster_id: clusterID, incarnation: incarnation,
                partitions: partitions, requests_in_flight: requestsInFlight,
                n_shards: shards.count,
                shards: arena.array(shards.map { unsafe $0.layout(in: arena) }),
                n_collections: collections.count,
                collections: arena.array(collections.map { unsafe $0.layout(in: arena) })),
            loci__status_answer__init)
    }
}

extension ShardStatus {
    init(_ layout: Loci__ShardStatus) throws(LociError) {
        unsafe self.init(
            shard: layout.shard, isUp: layout.is_up != 0, incarnation: layout.incarnation,
            endpoint: try String(decoded: layout.endpoint), vitals: try ShardVitals(layout.vitals))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardStatus> {
        unsafe arena.place(
            Loci__ShardStatus(
                base: ProtobufCMessage(), shard: shard, is_up: isUp ? 1 : 0,
                incarnation: incarnation, endpoint: arena.bytes(endpoint),
                vitals: vitals.layout(in: arena)),
            loci__shard_status__init)
    }
}

extension CollectionStatus {
    init(_ layout: Loci__CollectionStatus) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), locations: layout.locations,
            generation: layout.generation,
            isUnroutable: layout.is_unroutable != 0, isMoving: layout.is_moving != 0,
            points: layout.points)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CollectionStatus> {
        unsafe arena.place(
            Loci__CollectionStatus(
                base: ProtobufCMessage(), name: arena.bytes(name), locations: locations,
                generation: generation, is_unroutable: isUnroutable ? 1 : 0,
                is_moving: isMoving ? 1 : 0, points: points),
            loci__collection_status__init)
    }
}

extension CellsAnswer {
    init(_ layout: Loci__CellsAnswer) throws(LociError) {
        unsafe self.init(
            cellBytes: layout.cell_bytes, count: layout.count, receipt: try Receipt(layout.receipt))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CellsAnswer> {
        unsafe arena.place(
            Loci__CellsAnswer(
                base: ProtobufCMessage(), cell_bytes: cellBytes, count: count,
                receipt: receipt.layout(in: arena)),
            loci__cells_answer__init)
    }
}

extension MatchesAnswer {
    init(_ layout: Loci__MatchesAnswer) throws(LociError) {
        unsafe self.init(
            count: layout.count, receipt: try Receipt(layout.receipt),
            isDegraded: layout.is_degraded != 0, isExhausted: layout.is_exhausted != 0,
            passed: layout.passed,
            wholePartitions: Array(
                UnsafeBufferPointer(
                    start: layout.whole_partitions, count: layout.n_whole_partitions)))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__MatchesAnswer> {
        unsafe arena.place(
            Loci__MatchesAnswer(
                base: ProtobufCMessage(), count: count, receipt: receipt.layout(in: arena),
                is_degraded: isDegraded ? 1 : 0, is_exhausted: isExhausted ? 1 : 0,
                passed: passed, n_whole_partitions: wholePartitions.count,
                whole_partitions: arena.array(wholePartitions)),
            loci__matches_answer__init)
    }
}

extension PointsAnswer {
    init(_ layout: Loci__PointsAnswer) throws(LociError) {
        unsafe self.init(
            count: layout.count, receipt: try Receipt(layout.receipt),
            hasMore: layout.has_more != 0,
            isDegraded: layout.is_degraded != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__PointsAnswer> {
        unsafe arena.place(
            Loci__PointsAnswer(
                base: ProtobufCMessage(), count: count, receipt: receipt.layout(in: arena),
                has_more: hasMore ? 1 : 0, is_degraded: isDegraded ? 1 : 0),
            loci__points_answer__init)
    }
}

extension LociError {
    init(_ layout: Loci__Failure) throws(LociError) {
        guard let code = unsafe ErrorCode(rawValue: layout.code) else {
            throw unsafe LociError(
                .internal, "The answer is an error of the unknown kind \(layout.code).")
        }
        unsafe self.init(
            code, try String(decoded: layout.message), advice: try String(decoded: layout.advice))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Failure> {
        unsafe arena.place(
            Loci__Failure(
                base: ProtobufCMessage(), code: code.rawValue, message: arena.bytes(message),
                advice: arena.bytes(advice)),
            loci__failure__init)
    }
}
