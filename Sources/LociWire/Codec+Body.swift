import CWire
import LociBase
import LociModel

extension Body {
    /// The body as protobuf-c lays it out; nil for one without fields.
    func layout(in arena: Arena) -> (Loci__Kind, UnsafeMutablePointer<ProtobufCMessage>?) {
        switch self {
        case .createField(let body): unsafe (LOCI__KIND__CREATE_FIELD, root(body.layout(in: arena)))
        case .dropField(let body): unsafe (LOCI__KIND__DROP_FIELD, root(body.layout(in: arena)))
        case .createCollection(let body):
            unsafe (LOCI__KIND__CREATE_COLLECTION, root(body.layout(in: arena)))
        case .dropCollection(let body):
            unsafe (LOCI__KIND__DROP_COLLECTION, root(body.layout(in: arena)))
        case .describe: (LOCI__KIND__DESCRIBE, nil)
        case .status: (LOCI__KIND__STATUS, nil)
        case .readCells(let body): unsafe (LOCI__KIND__READ_CELLS, root(body.layout(in: arena)))
        case .writeCells(let body): unsafe (LOCI__KIND__WRITE_CELLS, root(body.layout(in: arena)))
        case .upsert(let body): unsafe (LOCI__KIND__UPSERT, root(body.layout(in: arena)))
        case .query(let body): unsafe (LOCI__KIND__QUERY, root(body.layout(in: arena)))
        case .retrieve(let body): unsafe (LOCI__KIND__RETRIEVE, root(body.layout(in: arena)))
        case .scroll(let body): unsafe (LOCI__KIND__SCROLL, root(body.layout(in: arena)))
        case .count(let body): unsafe (LOCI__KIND__COUNT, root(body.layout(in: arena)))
        case .deletePoints(let body):
            unsafe (LOCI__KIND__DELETE_POINTS, root(body.layout(in: arena)))
        case .failure(let body): unsafe (LOCI__KIND__FAILURE, root(body.layout(in: arena)))
        case .acknowledged(let body):
            unsafe (LOCI__KIND__ACKNOWLEDGED, root(body.layout(in: arena)))
        case .catalog(let body): unsafe (LOCI__KIND__CATALOG_ANSWER, root(body.layout(in: arena)))
        case .statusAnswer(let body):
            unsafe (LOCI__KIND__STATUS_ANSWER, root(body.layout(in: arena)))
        case .cells(let body): unsafe (LOCI__KIND__CELLS_ANSWER, root(body.layout(in: arena)))
        case .matches(let body): unsafe (LOCI__KIND__MATCHES_ANSWER, root(body.layout(in: arena)))
        case .points(let body): unsafe (LOCI__KIND__POINTS_ANSWER, root(body.layout(in: arena)))
        case .hello(let body): unsafe (LOCI__KIND__HELLO, root(body.layout(in: arena)))
        case .welcome(let body): unsafe (LOCI__KIND__WELCOME, root(body.layout(in: arena)))
        case .ping: (LOCI__KIND__PING, nil)
        case .pong(let body): unsafe (LOCI__KIND__PONG, root(body.layout(in: arena)))
        case .install(let body): unsafe (LOCI__KIND__INSTALL, root(body.layout(in: arena)))
        case .shardRead(let body): unsafe (LOCI__KIND__SHARD_READ, root(body.layout(in: arena)))
        case .shardWrite(let body): unsafe (LOCI__KIND__SHARD_WRITE, root(body.layout(in: arena)))
        case .claim(let body): unsafe (LOCI__KIND__CLAIM, root(body.layout(in: arena)))
        case .claimed(let body): unsafe (LOCI__KIND__CLAIMED, root(body.layout(in: arena)))
        case .settle(let body): unsafe (LOCI__KIND__SETTLE, root(body.layout(in: arena)))
        case .put(let body): unsafe (LOCI__KIND__PUT, root(body.layout(in: arena)))
        case .remove(let body): unsafe (LOCI__KIND__REMOVE, root(body.layout(in: arena)))
        case .plant(let body): unsafe (LOCI__KIND__PLANT, root(body.layout(in: arena)))
        case .askNews(let body): unsafe (LOCI__KIND__ASK_NEWS, root(body.layout(in: arena)))
        case .news(let body): unsafe (LOCI__KIND__NEWS, root(body.layout(in: arena)))
        case .shardQuery(let body): unsafe (LOCI__KIND__SHARD_QUERY, root(body.layout(in: arena)))
        case .fetch(let body): unsafe (LOCI__KIND__FETCH, root(body.layout(in: arena)))
        case .shardScroll(let body): unsafe (LOCI__KIND__SHARD_SCROLL, root(body.layout(in: arena)))
        case .shardCount(let body): unsafe (LOCI__KIND__SHARD_COUNT, root(body.layout(in: arena)))
        case .residency(let body):
            unsafe (LOCI__KIND__RESIDENCY, root(body.layout(in: arena)))
        case .scrub(let body):
            unsafe (LOCI__KIND__SCRUB, root(body.layout(in: arena)))
        case .createSnapshot(let body):
            unsafe (LOCI__KIND__CREATE_SNAPSHOT, root(body.layout(in: arena)))
        case .residencyAnswer(let body):
            unsafe (LOCI__KIND__RESIDENCY_ANSWER, root(body.layout(in: arena)))
        case .scrubAnswer(let body):
            unsafe (LOCI__KIND__SCRUB_ANSWER, root(body.layout(in: arena)))
        case .snapshots(let body):
            unsafe (LOCI__KIND__SNAPSHOTS_ANSWER, root(body.layout(in: arena)))
        case .shardResidency(let body):
            unsafe (LOCI__KIND__SHARD_RESIDENCY, root(body.layout(in: arena)))
        case .shardSnapshot(let body):
            unsafe (LOCI__KIND__SHARD_SNAPSHOT, root(body.layout(in: arena)))
        case .prefetchCells(let body):
            unsafe (LOCI__KIND__PREFETCH_CELLS, root(body.layout(in: arena)))
        case .releaseCells(let body):
            unsafe (LOCI__KIND__RELEASE_CELLS, root(body.layout(in: arena)))
        case .ticket(let body):
            unsafe (LOCI__KIND__TICKET, root(body.layout(in: arena)))
        case .ticketAnswer(let body):
            unsafe (LOCI__KIND__TICKET_ANSWER, root(body.layout(in: arena)))
        case .placementAnswer(let body):
            unsafe (LOCI__KIND__PLACEMENT_ANSWER, root(body.layout(in: arena)))
        case .shardPrefetch(let body):
            unsafe (LOCI__KIND__SHARD_PREFETCH, root(body.layout(in: arena)))
        case .shardRelease(let body):
            unsafe (LOCI__KIND__SHARD_RELEASE, root(body.layout(in: arena)))
        case .hint(let body):
            unsafe (LOCI__KIND__HINT, root(body.layout(in: arena)))
        case .gossip(let body):
            unsafe (LOCI__KIND__GOSSIP, root(body.layout(in: arena)))
        case .complete(let body):
            unsafe (LOCI__KIND__COMPLETE, root(body.layout(in: arena)))
        case .collectionInfo(let body):
            unsafe (LOCI__KIND__COLLECTION_INFO, root(body.layout(in: arena)))
        case .storeTuning(let body):
            unsafe (LOCI__KIND__STORE_TUNING, root(body.layout(in: arena)))
        case .createMemory(let body):
            unsafe (LOCI__KIND__CREATE_MEMORY, root(body.layout(in: arena)))
        case .dropMemory(let body):
            unsafe (LOCI__KIND__DROP_MEMORY, root(body.layout(in: arena)))
        case .writeMemory(let body):
            unsafe (LOCI__KIND__WRITE_MEMORY, root(body.layout(in: arena)))
        case .readMemory(let body):
            unsafe (LOCI__KIND__READ_MEMORY, root(body.layout(in: arena)))
        case .completionAnswer(let body):
            unsafe (LOCI__KIND__COMPLETION_ANSWER, root(body.layout(in: arena)))
        case .collectionReport(let body):
            unsafe (LOCI__KIND__COLLECTION_REPORT, root(body.layout(in: arena)))
        case .memoryAnswer(let body):
            unsafe (LOCI__KIND__MEMORY_ANSWER, root(body.layout(in: arena)))
        case .shardComplete(let body):
            unsafe (LOCI__KIND__SHARD_COMPLETE, root(body.layout(in: arena)))
        case .partialCompletion(let body):
            unsafe (LOCI__KIND__PARTIAL_COMPLETION, root(body.layout(in: arena)))
        case .shardCollectionInfo(let body):
            unsafe (LOCI__KIND__SHARD_COLLECTION_INFO, root(body.layout(in: arena)))
        case .shardMemoryWrite(let body):
            unsafe (LOCI__KIND__SHARD_MEMORY_WRITE, root(body.layout(in: arena)))
        case .shardMemoryRead(let body):
            unsafe (LOCI__KIND__SHARD_MEMORY_READ, root(body.layout(in: arena)))
        case .shardMemoryAnswer(let body):
            unsafe (LOCI__KIND__SHARD_MEMORY_ANSWER, root(body.layout(in: arena)))
        case .listSnapshots: (LOCI__KIND__LIST_SNAPSHOTS, nil)
        case .placement: (LOCI__KIND__PLACEMENT, nil)
        }
    }

    /// - Throws: INVALID_ARGUMENT if the kind is unknown or the bytes are not of it.
    init(kind: Loci__Kind, _ content: Content) throws(LociError) {
        switch kind {
        case LOCI__KIND__CREATE_FIELD:
            self = .createField(unsafe try CreateField(content.unpack(loci__create_field__unpack)))
        case LOCI__KIND__DROP_FIELD:
            self = .dropField(unsafe try DropField(content.unpack(loci__drop_field__unpack)))
        case LOCI__KIND__CREATE_COLLECTION:
            self = .createCollection(
                unsafe try CreateCollection(content.unpack(loci__create_collection__unpack)))
        case LOCI__KIND__DROP_COLLECTION:
            self = .dropCollection(
                unsafe try DropCollection(content.unpack(loci__drop_collection__unpack)))
        case LOCI__KIND__DESCRIBE: self = .describe
        case LOCI__KIND__STATUS: self = .status
        case LOCI__KIND__READ_CELLS:
            self = .readCells(unsafe try ReadCells(content.unpack(loci__read_cells__unpack)))
        case LOCI__KIND__WRITE_CELLS:
            self = .writeCells(unsafe try WriteCells(content.unpack(loci__write_cells__unpack)))
        case LOCI__KIND__UPSERT:
            self = .upsert(unsafe try Upsert(content.unpack(loci__upsert__unpack)))
        case LOCI__KIND__QUERY: self = .query(unsafe try Query(content.unpack(loci__query__unpack)))
        case LOCI__KIND__RETRIEVE:
            self = .retrieve(unsafe try Retrieve(content.unpack(loci__retrieve__unpack)))
        case LOCI__KIND__SCROLL:
            self = .scroll(unsafe try Scroll(content.unpack(loci__scroll__unpack)))
        case LOCI__KIND__COUNT: self = .count(unsafe try Count(content.unpack(loci__count__unpack)))
        case LOCI__KIND__DELETE_POINTS:
            self = .deletePoints(
                unsafe try DeletePoints(content.unpack(loci__delete_points__unpack)))
        case LOCI__KIND__FAILURE:
            self = .failure(unsafe try LociError(content.unpack(loci__failure__unpack)))
        case LOCI__KIND__ACKNOWLEDGED:
            self = .acknowledged(
                unsafe try Acknowledged(content.unpack(loci__acknowledged__unpack)))
        case LOCI__KIND__CATALOG_ANSWER:
            self = .catalog(unsafe try CatalogAnswer(content.unpack(loci__catalog_answer__unpack)))
        case LOCI__KIND__STATUS_ANSWER:
            self = .statusAnswer(
                unsafe try StatusAnswer(content.unpack(loci__status_answer__unpack)))
        case LOCI__KIND__CELLS_ANSWER:
            self = .cells(unsafe try CellsAnswer(content.unpack(loci__cells_answer__unpack)))
        case LOCI__KIND__MATCHES_ANSWER:
            self = .matches(unsafe try MatchesAnswer(content.unpack(loci__matches_answer__unpack)))
        case LOCI__KIND__POINTS_ANSWER:
            self = .points(unsafe try PointsAnswer(content.unpack(loci__points_answer__unpack)))
        case LOCI__KIND__HELLO: self = .hello(unsafe try Hello(content.unpack(loci__hello__unpack)))
        case LOCI__KIND__WELCOME:
            self = .welcome(unsafe try Welcome(content.unpack(loci__welcome__unpack)))
        case LOCI__KIND__PING: self = .ping
        case LOCI__KIND__PONG: self = .pong(unsafe try Pong(content.unpack(loci__pong__unpack)))
        case LOCI__KIND__INSTALL:
            self = .install(unsafe try Install(content.unpack(loci__install__unpack)))
        case LOCI__KIND__SHARD_READ:
            self = .shardRead(unsafe try ShardRead(content.unpack(loci__shard_read__unpack)))
        case LOCI__KIND__SHARD_WRITE:
            self = .shardWrite(unsafe try ShardWrite(content.unpack(loci__shard_write__unpack)))
        case LOCI__KIND__CLAIM: self = .claim(unsafe try Claim(content.unpack(loci__claim__unpack)))
        case LOCI__KIND__CLAIMED:
            self = .claimed(unsafe try Claimed(content.unpack(loci__claimed__unpack)))
        case LOCI__KIND__SETTLE:
            self = .settle(unsafe try Settle(content.unpack(loci__settle__unpack)))
        case LOCI__KIND__PUT: self = .put(unsafe try Put(content.unpack(loci__put__unpack)))
        case LOCI__KIND__REMOVE:
            self = .remove(unsafe try Remove(content.unpack(loci__remove__unpack)))
        case LOCI__KIND__PLANT: self = .plant(unsafe try Plant(content.unpack(loci__plant__unpack)))
        case LOCI__KIND__ASK_NEWS:
            self = .askNews(unsafe try AskNews(content.unpack(loci__ask_news__unpack)))
        case LOCI__KIND__NEWS: self = .news(unsafe try News(content.unpack(loci__news__unpack)))
        case LOCI__KIND__SHARD_QUERY:
            self = .shardQuery(unsafe try ShardQuery(content.unpack(loci__shard_query__unpack)))
        case LOCI__KIND__FETCH: self = .fetch(unsafe try Fetch(content.unpack(loci__fetch__unpack)))
        case LOCI__KIND__SHARD_SCROLL:
            self = .shardScroll(unsafe try ShardScroll(content.unpack(loci__shard_scroll__unpack)))
        case LOCI__KIND__SHARD_COUNT:
            self = .shardCount(unsafe try ShardCount(content.unpack(loci__shard_count__unpack)))
        case LOCI__KIND__RESIDENCY:
            self = .residency(
                unsafe try Residency(content.unpack(loci__residency__unpack)))
        case LOCI__KIND__SCRUB:
            self = .scrub(
                unsafe try Scrub(content.unpack(loci__scrub__unpack)))
        case LOCI__KIND__CREATE_SNAPSHOT:
            self = .createSnapshot(
                unsafe try CreateSnapshot(content.unpack(loci__create_snapshot__unpack)))
        case LOCI__KIND__RESIDENCY_ANSWER:
            self = .residencyAnswer(
                unsafe try ResidencyAnswer(content.unpack(loci__residency_answer__unpack)))
        case LOCI__KIND__SCRUB_ANSWER:
            self = .scrubAnswer(
                unsafe try ScrubAnswer(content.unpack(loci__scrub_answer__unpack)))
        case LOCI__KIND__SNAPSHOTS_ANSWER:
            self = .snapshots(
                unsafe try SnapshotsAnswer(content.unpack(loci__snapshots_answer__unpack)))
        case LOCI__KIND__SHARD_RESIDENCY:
            self = .shardResidency(
                unsafe try ShardResidency(content.unpack(loci__shard_residency__unpack)))
        case LOCI__KIND__SHARD_SNAPSHOT:
            self = .shardSnapshot(
                unsafe try ShardSnapshot(content.unpack(loci__shard_snapshot__unpack)))
        case LOCI__KIND__LIST_SNAPSHOTS: self = .listSnapshots
        case LOCI__KIND__PLACEMENT: self = .placement
        case LOCI__KIND__PREFETCH_CELLS:
            self = .prefetchCells(
                unsafe try PrefetchCells(content.unpack(loci__prefetch_cells__unpack)))
        case LOCI__KIND__RELEASE_CELLS:
            self = .releaseCells(
                unsafe try ReleaseCells(content.unpack(loci__release_cells__unpack)))
        case LOCI__KIND__TICKET:
            self = .ticket(unsafe try Ticket(content.unpack(loci__ticket__unpack)))
        case LOCI__KIND__TICKET_ANSWER:
            self = .ticketAnswer(
                unsafe try TicketAnswer(content.unpack(loci__ticket_answer__unpack)))
        case LOCI__KIND__PLACEMENT_ANSWER:
            self = .placementAnswer(
                unsafe try PlacementAnswer(content.unpack(loci__placement_answer__unpack)))
        case LOCI__KIND__SHARD_PREFETCH:
            self = .shardPrefetch(
                unsafe try ShardPrefetch(content.unpack(loci__shard_prefetch__unpack)))
        case LOCI__KIND__SHARD_RELEASE:
            self = .shardRelease(
                unsafe try ShardRelease(content.unpack(loci__shard_release__unpack)))
        case LOCI__KIND__HINT:
            self = .hint(unsafe try Hint(content.unpack(loci__hint__unpack)))
        case LOCI__KIND__GOSSIP:
            self = .gossip(unsafe try Gossip(content.unpack(loci__gossip__unpack)))
        case LOCI__KIND__COMPLETE:
            self = .complete(
                unsafe try Complete(content.unpack(loci__complete__unpack)))
        case LOCI__KIND__COLLECTION_INFO:
            self = .collectionInfo(
                unsafe try CollectionInfo(content.unpack(loci__collection_info__unpack)))
        case LOCI__KIND__STORE_TUNING:
            self = .storeTuning(
                unsafe try StoreTuning(content.unpack(loci__store_tuning__unpack)))
        case LOCI__KIND__CREATE_MEMORY:
            self = .createMemory(
                unsafe try CreateMemory(content.unpack(loci__create_memory__unpack)))
        case LOCI__KIND__DROP_MEMORY:
            self = .dropMemory(
                unsafe try DropMemory(content.unpack(loci__drop_memory__unpack)))
        case LOCI__KIND__WRITE_MEMORY:
            self = .writeMemory(
                unsafe try WriteMemory(content.unpack(loci__write_memory__unpack)))
        case LOCI__KIND__READ_MEMORY:
            self = .readMemory(
                unsafe try ReadMemory(content.unpack(loci__read_memory__unpack)))
        case LOCI__KIND__COMPLETION_ANSWER:
            self = .completionAnswer(
                unsafe try CompletionAnswer(content.unpack(loci__completion_answer__unpack)))
        case LOCI__KIND__COLLECTION_REPORT:
            self = .collectionReport(
                unsafe try CollectionReport(content.unpack(loci__collection_report__unpack)))
        case LOCI__KIND__MEMORY_ANSWER:
            self = .memoryAnswer(
                unsafe try MemoryAnswer(content.unpack(loci__memory_answer__unpack)))
        case LOCI__KIND__SHARD_COMPLETE:
            self = .shardComplete(
                unsafe try ShardComplete(content.unpack(loci__shard_complete__unpack)))
        case LOCI__KIND__PARTIAL_COMPLETION:
            self = .partialCompletion(
                unsafe try PartialCompletion(content.unpack(loci__partial_completion__unpack)))
        case LOCI__KIND__SHARD_COLLECTION_INFO:
            self = .shardCollectionInfo(
                unsafe try ShardCollectionInfo(content.unpack(loci__shard_collection_info__unpack)))
        case LOCI__KIND__SHARD_MEMORY_WRITE:
            self = .shardMemoryWrite(
                unsafe try ShardMemoryWrite(content.unpack(loci__shard_memory_write__unpack)))
        case LOCI__KIND__SHARD_MEMORY_READ:
            self = .shardMemoryRead(
                unsafe try ShardMemoryRead(content.unpack(loci__shard_memory_read__unpack)))
        case LOCI__KIND__SHARD_MEMORY_ANSWER:
            self = .shardMemoryAnswer(
                unsafe try ShardMemoryAnswer(content.unpack(loci__shard_memory_answer__unpack)))
        default:
            throw LociError(
                .invalidArgument, "This program does not know messages of kind \(kind.rawValue).",
                advice: "Run the same version of Loci everywhere.")
        }
    }
}

private func root<Layout>(
    _ layout: UnsafeMutablePointer<Layout>
) -> UnsafeMutablePointer<ProtobufCMessage> {
    unsafe UnsafeMutableRawPointer(layout).assumingMemoryBound(to: ProtobufCMessage.self)
}

/// The encoded body of an envelope.
@safe struct Content {
    let data: ProtobufCBinaryData
    let arena: Arena

    func unpack<Layout>(
        _ unpack: (
            UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
        ) -> UnsafeMutablePointer<Layout>?
    ) throws(LociError) -> Layout {
        guard let layout = unsafe arena.unpack(data.len, data.data, unpack) else {
            throw LociError(
                .invalidArgument, "The body of the message cannot be decoded.",
                advice: "Run the same version of Loci everywhere.")
        }
        return layout
    }
}
