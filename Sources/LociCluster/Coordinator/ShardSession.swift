import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// How the coordinator stands with one shard.
struct ShardSession: Sendable {
    var isUp = false
    /// Of the shard, once it has said `welcome`.
    var incarnation: UInt64 = 0
    var lastHeard = Instant.zero
    var lastSent = Instant.zero
    var helloRequest: UInt64 = 0
    var catalogVersion: UInt64 = 0
    var installSentAt: Instant?
    var vitals = ShardVitals()
    /// Why the shard refused us, if it did.
    var refusal: LociError?

    /// Between two hellos or pings.
    static let pingMicroseconds: UInt64 = 100_000
    /// Silence after which a shard counts as lost: its part of every answer is then missing.
    static let lostMicroseconds: UInt64 = 700_000
    /// After which an install or a question for news is sent again.
    static let repeatMicroseconds: UInt64 = 500_000
}

extension CoordinatorNode {
    mutating func tick(into directives: inout [CoordinatorDirective]) {
        for shard in sessions.indices { keepInTouch(with: ShardIndex(shard), into: &directives) }
        endOverdue(into: &directives)
        repeatFinish(into: &directives)
        advanceLearning(into: &directives)
        saveRarity(into: &directives)
        advanceGossip(into: &directives)
    }

    private mutating func keepInTouch(
        with shard: ShardIndex, into directives: inout [CoordinatorDirective]
    ) {
        let index = Int(shard)
        if sessions[index].isUp,
            now.microseconds(since: sessions[index].lastHeard) > ShardSession.lostMicroseconds
        {
            lose(shard, into: &directives)
        }
        if now.microseconds(since: sessions[index].lastSent) >= ShardSession.pingMicroseconds {
            sessions[index].lastSent = now
            if sessions[index].isUp {
                post(.ping, to: shard, into: &directives)
            } else {
                post(
                    .hello(
                        Hello(
                            clusterID: metadata.clusterID, shard: shard,
                            partitions: UInt32(metadata.map.partitions),
                            shards: UInt32(metadata.map.shards))), to: shard, into: &directives)
                sessions[index].helloRequest = nextRequest
            }
        }
        installIfBehind(shard, into: &directives)
    }

    private mutating func installIfBehind(
        _ shard: ShardIndex, into directives: inout [CoordinatorDirective]
    ) {
        let session = sessions[Int(shard)]
        guard session.isUp, session.catalogVersion < metadata.catalog.version else { return }
        if let sent = session.installSentAt,
            now.microseconds(since: sent) < ShardSession.repeatMicroseconds
        {
            return
        }
        sessions[Int(shard)].installSentAt = now
        post(
            .install(Install(version: metadata.catalog.version)),
            bulk: [metadata.catalog.encoded], to: shard, into: &directives)
    }

    /// Sends what no operation waits for.
    mutating func post(
        _ body: Body, bulk: [Bytes] = [], to shard: ShardIndex,
        into directives: inout [CoordinatorDirective]
    ) {
        nextRequest += 1
        directives.append(
            .send(shard, Message(shardHeader(shard, request: nextRequest), body, bulk: bulk)))
    }

    func shardHeader(_ shard: ShardIndex, request: UInt64) -> Header {
        var header = Header(requestID: request)
        header.senderIncarnation = incarnation
        header.receiverIncarnation = sessions[Int(shard)].incarnation
        header.fence = sequencesInFlight.first ?? nextSequence + 1
        return header
    }

    /// A shard is silent: everything that waits for it goes on without.
    private mutating func lose(
        _ shard: ShardIndex, into directives: inout [CoordinatorDirective]
    ) {
        sessions[Int(shard)].isUp = false
        for space in collections.keys {
            for partition in metadata.map.partitions(of: shard) {
                collections[space]!.following[Int(partition)].askedAt = nil
            }
        }
        let lost = awaited.filter { $0.value.shard == shard }.keys.sorted()
        for request in lost {
            guard let part = awaited.removeValue(forKey: request) else { continue }
            partDone(part, .failure(unavailable(shard)), into: &directives)
        }
    }

    func unavailable(_ shard: ShardIndex) -> LociError {
        let refusal = sessions[Int(shard)].refusal
        return LociError(
            .unavailable,
            refusal.map { "Shard \(shard) refuses to serve: \($0.message)" }
                ?? "Shard \(shard) does not answer.",
            advice: refusal?.advice ?? "Start it again: scripts/cluster up")
    }

    mutating func heard(
        _ message: Message, from shard: ShardIndex, into directives: inout [CoordinatorDirective]
    ) {
        let index = Int(shard)
        if case .welcome(let welcome) = message.body {
            return welcomed(welcome, message.header, shard, into: &directives)
        }
        if case .failure(let error) = message.body, !sessions[index].isUp {
            if message.header.requestID == sessions[index].helloRequest {
                sessions[index].refusal = error
            }
            return
        }
        guard sessions[index].isUp, (try? message.validated()) != nil,
            message.header.senderIncarnation == sessions[index].incarnation
        else { return }
        sessions[index].lastHeard = now
        switch message.body {
        case .pong(let pong): follow(pong, message.bulk[0], shard, into: &directives)
        case .news(let news): learnNews(news, message.bulk, into: &directives)
        case .gossip(let gossip): heard(gossip, message.bulk, shard, into: &directives)
        default:
            guard let part = awaited.removeValue(forKey: message.header.requestID) else {
                if case .acknowledged = message.body { installIfBehind(shard, into: &directives) }
                return
            }
            guard part.shard == shard else { return }
            if case .failure(let error) = message.body {
                partDone(part, .failure(error), into: &directives)
            } else {
                partDone(part, .success(message), into: &directives)
            }
        }
    }

    private mutating func welcomed(
        _ welcome: Welcome, _ header: Header, _ shard: ShardIndex,
        into directives: inout [CoordinatorDirective]
    ) {
        guard header.senderIncarnation >= sessions[Int(shard)].incarnation else { return }
        if sessions[Int(shard)].isUp {
            // A late welcome of this session means nothing; one of a new start ends it.
            if header.senderIncarnation == sessions[Int(shard)].incarnation { return }
            lose(shard, into: &directives)
        }
        sessions[Int(shard)].isUp = true
        sessions[Int(shard)].refusal = nil
        sessions[Int(shard)].incarnation = header.senderIncarnation
        sessions[Int(shard)].lastHeard = now
        sessions[Int(shard)].catalogVersion = welcome.catalogVersion
        sessions[Int(shard)].installSentAt = nil
        sessions[Int(shard)].lastSent = now
        installIfBehind(shard, into: &directives)
        post(.ping, to: shard, into: &directives)
        greetWithGossip(shard, into: &directives)
    }

    private mutating func follow(
        _ pong: Pong, _ bulk: Bytes, _ shard: ShardIndex,
        into directives: inout [CoordinatorDirective]
    ) {
        sessions[Int(shard)].catalogVersion = pong.catalogVersion
        sessions[Int(shard)].vitals = pong.vitals
        hints?.note(pong.vitals, of: shard)
        var reader = ByteReader(bulk)
        while let space = try? reader.read(SpaceID.self),
            let partition = try? reader.read(PartitionIndex.self),
            let version = try? reader.read(UInt64.self), let points = try? reader.read(UInt64.self),
            let interrupted = try? reader.readArray(of: PointID.self)
        {
            guard collections[space] != nil, Int(partition) < metadata.map.partitions else {
                continue
            }
            collections[space]!.following[Int(partition)].isHeard = true
            collections[space]!.following[Int(partition)].points = points
            collections[space]!.following[Int(partition)].interrupted = interrupted.count
            announce(version, space, partition, into: &directives)
            mend(interrupted, space, into: &directives)
        }
    }

    /// A partition's hard locations have reached a version; the copy follows.
    mutating func announce(
        _ version: UInt64, _ space: SpaceID, _ partition: PartitionIndex,
        into directives: inout [CoordinatorDirective]
    ) {
        guard var following = collections[space]?.following[Int(partition)] else { return }
        following.announced = max(following.announced, version)
        let shard = metadata.map.shard(of: partition)
        let mayAsk = following.askedAt.map {
            now.microseconds(since: $0) > ShardSession.repeatMicroseconds
        }
        if following.known < following.announced, mayAsk ?? true, sessions[Int(shard)].isUp {
            following.askedAt = now
            post(
                .askNews(
                    AskNews(
                        space: space, partition: partition, since: following.known,
                        isContinued: following.isContinuing)),
                to: shard, into: &directives)
        }
        collections[space]!.following[Int(partition)] = following
    }

    private mutating func learnNews(
        _ news: News, _ bulk: [Bytes], into directives: inout [CoordinatorDirective]
    ) {
        guard Int(news.partition) < metadata.map.partitions,
            let following = collections[news.space]?.following[Int(news.partition)],
            following.known == news.since || (news.since == 0 && following.askedAt != nil)
        else { return }
        collections[news.space]!.take(news, bulk)
        announce(news.version, news.space, news.partition, into: &directives)
    }
}

extension CollectionState {
    /// Brings the copy of a partition's hard locations up to date.
    mutating func take(_ news: News, _ bulk: [Bytes]) {
        following[Int(news.partition)].askedAt = nil
        if news.since == 0 {
            for key in locations.keys where key.partition == news.partition {
                locations.remove(key)
            }
        }
        let born = bulk[0].values(LocationID.self)
        let generations = bulk[1].values(UInt32.self)
        let centroids = bulk[2].values(Float.self)
        let dimension = definition.dimension
        guard generations.count == born.count, centroids.count == born.count * dimension else {
            return
        }
        for (index, location) in born.enumerated() {
            locations.insert(
                LocationKey(partition: news.partition, location: location),
                generation: generations[index],
                centroid: Array(centroids[(index * dimension)..<((index + 1) * dimension)]))
        }
        for location in bulk[3].values(LocationID.self) {
            locations.remove(LocationKey(partition: news.partition, location: location))
        }
        following[Int(news.partition)].known = news.version
        following[Int(news.partition)].isContinuing = news.hasMore
        if news.hasMore {
            let announced = following[Int(news.partition)].announced
            following[Int(news.partition)].announced = max(announced, news.version + 1)
        }
    }
}
