import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Opening a session, staying in touch, telling what changed.
extension ShardNode {
    mutating func greet(
        _ hello: Hello, _ header: Header, _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        func mismatch(_ what: String) -> LociError {
            LociError(
                .failedPrecondition, what,
                advice: "Start all processes with the same cluster file.")
        }
        if hello.clusterID != settings.clusterID {
            return refuse(
                asker, mismatch("Shard \(settings.shard) belongs to another cluster."),
                into: &directives)
        }
        if hello.shard != settings.shard || Int(hello.partitions) != settings.partitions
            || Int(hello.shards) != settings.shards
        {
            return refuse(
                asker,
                mismatch(
                    "This is shard \(settings.shard) of \(settings.shards) with "
                        + "\(settings.partitions) partitions, not what the coordinator expects."),
                into: &directives)
        }
        guard guardian.open(coordinator: header.senderIncarnation) else {
            return refuse(
                asker, mismatch("A later start of the coordinator is in charge of this shard."),
                into: &directives)
        }
        answer(asker, .welcome(Welcome(catalogVersion: catalogVersion)), into: &directives)
    }

    /// The catalog that all partitions have.
    var catalogVersion: UInt64 {
        workers.values.map(\.state.catalog.version).min() ?? 0
    }

    /// Points that are named as interrupted in one pong, for each partition of a collection.
    private static let interruptedPerPong = 64

    mutating func answerPing(
        _ header: Header, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        let over = guardian.pinged(fence: header.fence)
        checkpointWhereDue(into: &directives)
        var vitals = ShardVitals()
        vitals.partitions = UInt32(workers.count)
        vitals.residentBytes = UInt64(pages.dramVitals.residentBytes)
        vitals.budgetBytes = UInt64(pages.budgetBytes)
        vitals.pagesRequested = pages.dramVitals.requests
        vitals.pagesHit = pages.dramVitals.hits
        vitals.requestsInFlight = UInt32(tasks.count)
        vitals.rejectedMessages = rejectedMessages
        var news = ByteWriter()
        for partition in workers.keys.sorted() {
            let worker = workers[partition]!
            vitals.logBytes += worker.logBytes
            for space in worker.state.slices.keys.sorted() {
                let slice = worker.state.slices[space]!
                vitals.points += UInt64(slice.primaryCount)
                news.write(space)
                news.write(partition)
                news.write(slice.locationsVersion)
                news.write(UInt64(slice.primaryCount))
                news.write(
                    array: slice.directory.interrupted(
                        before: over, limit: Self.interruptedPerPong))
            }
        }
        addStorage(to: &vitals)
        vitals.told = tally(.told)
        vitals.hinted = tally(.hinted)
        vitals.guessed = tally(.guessed)
        vitals.gossip = gossipVitals
        answer(
            asker, .pong(Pong(catalogVersion: catalogVersion, vitals: vitals)),
            bulk: [news.finished], into: &directives)
    }

    func answer(
        _ question: AskNews, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        guard let slice = workers[question.partition]?.state.slices[question.space] else {
            return refuse(asker, unknownSpace(question.space), into: &directives)
        }
        let limit = max(1, Limits.chunkBytes / slice.definition.rowBytes)
        // A copy that is too old to be told what went is told everything that is there.
        let isTooOld = question.since < slice.journal.floor && !question.isContinued
        let since = isTooOld ? 0 : question.since
        let news = slice.journal.news(since: since, limit: limit)
        var generations: [UInt32] = []
        var centroids: [Float] = []
        for location in news.born {
            let key = LocationKey(partition: question.partition, location: location)
            generations.append(slice.postings[location]?.generation ?? 0)
            centroids += slice.locations.centroid(of: key) ?? []
        }
        answer(
            asker,
            .news(
                News(
                    space: question.space, partition: question.partition, since: since,
                    version: news.version, hasMore: news.hasMore)),
            bulk: [
                Bytes(values: news.born), Bytes(values: generations), Bytes(values: centroids),
                Bytes(values: news.retired),
            ], into: &directives)
    }
}
