import Foundation
import Glibc
import LociBase
import LociClient
import LociTransport
import Testing

@testable import LociWire

extension ProcessTests {
    @Test("serves on, and does not grow, whatever messages and bytes arrive")
    func hostileMessages() async throws {
        let count = Programs.size("LOCI_PROCESS_MESSAGES", default: 100_000)
        let seed = UInt64(Programs.size("LOCI_PROCESS_SEED", default: 40))
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await Served.prepare(client)
        let victims = [("coordinator", cluster.endpoints[0]), ("shard-0", cluster.endpoints[1])]
        for (name, endpoint) in victims {
            let process = try #require(cluster.process(name))
            let before = process.residentKilobytes
            var attack = try Attack(on: endpoint, seed: seed)
            do {
                try attack.sendForeignBytes()
                try await attack.sendMutated(count / 2)
                try await attack.sendWellFormed(count / 20, try await client.status(), to: name)
                try await Served.check(client)
            } catch {
                Issue.record("seed \(seed): \(error)\n\(cluster.logs)")
            }
            #expect(process.isRunning, "\(name)\n\(cluster.logs)")
            let growth = process.residentKilobytes - before
            #expect(growth < 64 << 10, "\(name)")
            print("\(name): \(attack.sent) messages, \(before) KiB grew by \(growth) KiB")
        }
        for name in cluster.names { #expect(cluster.process(name)?.isRunning == true) }
    }

    @Test("refuses a request that is too large, and does not leave its sender waiting")
    func oversizedRequests() async throws {
        let cluster = try await LocalCluster.running(shards: 1)
        let client = try cluster.client()
        try await Served.prepare(client)
        let cells = UInt64(Limits.cellsPerRequest)
        let points = Limits.pointsPerRequest + 1
        let longText = String(repeating: "a", count: 600_000)
        let requests: [(Body, [Bytes])] = [
            (.readCells(ReadCells(field: "rows", count: cells + 1)), []),
            (.readCells(ReadCells(field: "rows", count: cells)), []),
            (.readCells(ReadCells(field: "rows", count: .max)), []),
            (
                .writeCells(WriteCells(field: "rows", count: cells + 1)),
                [Bytes(zeros: 1 << 20)]
            ),
            (
                .writeCells(WriteCells(field: "rows", count: 80)),
                [Bytes(zeros: Limits.frameBytes + 1)]
            ),
            (.describe, Array(repeating: Bytes(), count: Limits.frames)),
            (.retrieve(Retrieve(collection: "points")), [Bytes(zeros: points * 8)]),
            (.deletePoints(DeletePoints(collection: "points")), [Bytes(zeros: points * 8)]),
            (.scroll(Scroll(collection: "points", limit: UInt32(points))), []),
            (
                .query(Query(collection: "points", k: UInt32(Limits.neighbours) + 1)),
                [Bytes(values: [Float](repeating: 0, count: 4))]
            ),
            (.query(Query(collection: "points", k: 1, text: longText)), []),
            (
                .createField(
                    CreateField(name: "big", elementType: .raw, shape: [1 << 40, 1 << 40])), []
            ),
        ]
        for (body, bulk) in requests {
            let start = ContinuousClock.now
            do {
                _ = try await client.call(body, bulk: bulk)
                Issue.record("accepted: \(String(describing: body).prefix(100))")
            } catch {
                #expect([.resourceExhausted, .invalidArgument].contains(error.code), "\(error)")
                #expect(!error.advice.isEmpty || !error.message.isEmpty)
            }
            #expect(ContinuousClock.now - start < .seconds(2))
        }
        try await Served.check(client)
    }
}

/// A field and a collection whose content is known.
private enum Served {
    static func prepare(_ client: LociClient) async throws {
        try await client.createField("rows", elementType: .raw, shape: [70_000, 256])
        try await client.createCollection("points", dimension: 4, metric: .l2)
        _ = try await client.write("rows", cells: cells, bytes: bytes)
        _ = try await client.upsert("points", ids: ids, vectors: ids.flatMap { vector($0) })
    }

    private static let cells = (UInt64(0)..<300).map { $0 * 200 }
    private static let bytes = Bytes(values: (UInt64(0)..<9600).map { mix64($0) })
    private static let ids = Array(UInt64(0)..<400)
    private static func vector(_ id: PointID) -> [Float] { [Float(id), 1, 2, 3] }

    static func check(_ client: LociClient) async throws {
        let answer = try await client.read("rows", cells: cells)
        #expect(answer.bytes == bytes)
        let found = try await client.query("points", vector: vector(77), k: 3, isExact: true)
        #expect(found.matches.map(\.id) == [77, 76, 78])
        #expect(!found.isDegraded)
        #expect(try await client.count("points").count == UInt64(ids.count))
    }
}

/// One peer that means no good.
private struct Attack {
    let endpoint: Endpoint
    private let socket: DealerSocket
    private var random: SeededRandom
    private(set) var sent = 0

    init(on endpoint: Endpoint, seed: UInt64) throws {
        self.endpoint = endpoint
        socket = try DealerSocket(try TransportContext(), connecting: endpoint)
        random = SeededRandom(seed: seed)
    }

    /// Kinds of random messages that make fields and collections: those that succeed take memory.
    private static let creations = [0, 2]

    /// Valid messages of every kind with some bytes changed, sometimes with a right checksum.
    mutating func sendMutated(_ count: Int) async throws {
        var source = RandomMessages(seed: random.next())
        let whole = try (0..<400).map {
            try source.message(kind: $0 % RandomMessages.kinds).encoded()
        }
        for round in 0..<count {
            var frames = whole[round % whole.count]
            let isSealed =
                random.chance(0.3)
                && !Self.creations.contains(round % whole.count % RandomMessages.kinds)
            if isSealed { frames[0] = frames[0].slice(0..<(frames[0].count - Envelope.sealBytes)) }
            for _ in 0..<(1 + random.below(3)) { mutate(&frames) }
            if isSealed { frames[0] = Envelope.seal(frames[0], bulk: Array(frames.dropFirst())) }
            try await send(frames)
        }
        try await waitUntilRead()
    }

    /// Messages that decode: with names, spaces and incarnations that exist, of kinds and with
    /// frames that do not belong here.
    mutating func sendWellFormed(
        _ count: Int, _ status: StatusAnswer, to name: String
    ) async throws {
        var source = RandomMessages(seed: random.next())
        for round in 0..<count {
            var message = source.message(kind: round % RandomMessages.kinds)
            message.body = aimed(message.body)
            // A message of changes that is sound would change something: that is no attack.
            let isChange = message.header.sequence > 0
            message.header.fence = 0
            if name != "coordinator", case .hello = message.body { continue }
            message.header.senderIncarnation = status.incarnation
            message.header.receiverIncarnation = status.shards[0].incarnation
            if isChange { message.header.sequence = .max - UInt64(round) }
            damage(&message.bulk)
            try await send(try message.encoded())
        }
        try await waitUntilRead()
    }

    /// The same request, about what exists.
    private mutating func aimed(_ body: Body) -> Body {
        switch body {
        case .readCells(var body):
            body.field = "rows"
            body.first = source()
            return .readCells(body)
        case .query(var body):
            body.collection = "points"
            return .query(body)
        case .retrieve(var body):
            body.collection = "points"
            return .retrieve(body)
        case .scroll(var body):
            body.collection = "points"
            return .scroll(body)
        case .shardRead: return .shardRead(ShardRead(space: space()))
        case .shardQuery(var body):
            body.space = space()
            body.k = random.chance(0.5) ? body.k : .max
            return .shardQuery(body)
        case .fetch(var body):
            body.space = space()
            body.partition = UInt32(random.below(3))
            return .fetch(body)
        case .shardScroll(var body):
            body.space = space()
            body.partition = UInt32(random.below(3))
            if random.chance(0.3) { body.limit = random.chance(0.5) ? .max : 0 }
            return .shardScroll(body)
        case .shardCount: return .shardCount(ShardCount(space: space()))
        case .askNews(var body):
            body.space = space()
            body.partition = UInt32(random.below(3))
            return .askNews(body)
        // What exists cannot be made again.
        case .createField(var body):
            body.name = "rows"
            return .createField(body)
        case .createCollection(var body):
            body.name = "points"
            return .createCollection(body)
        // Other changes are of what does not exist.
        default: return body
        }
    }

    private mutating func source() -> UInt64 { random.chance(0.5) ? 5 : random.next() }
    private mutating func space() -> SpaceID { UInt32(random.below(6)) }

    /// Takes frames away, adds some, cuts them.
    private mutating func damage(_ bulk: inout [Bytes]) {
        switch random.below(5) {
        case 0: bulk = []
        case 1 where !bulk.isEmpty: bulk.removeLast()
        case 2 where !bulk.isEmpty:
            let index = random.below(bulk.count)
            bulk[index] = bulk[index].slice(0..<random.below(bulk[index].count + 1))
        case 3: bulk.append(Bytes(zeros: random.below(64)))
        default: break
        }
    }

    private mutating func mutate(_ frames: inout [Bytes]) {
        let index = random.chance(0.7) ? 0 : random.below(frames.count)
        var bytes = frames[index].array
        let place = random.below(bytes.count + 1)
        let end = min(bytes.count, place + random.below(6))
        switch random.below(4) {
        case 0: bytes.replaceSubrange(place..<end, with: [0xFF, 0xFF, 0xFF, 0xFF, 0x0F])
        case 1: bytes.removeSubrange(place..<end)
        case 2 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.below(8))
        default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        }
        frames[index] = Bytes(bytes)
    }

    private mutating func send(_ frames: [Bytes]) async throws {
        while true {
            while try socket.receive() != nil {}
            if try socket.send(frames) == .sent { break }
            _ = socket.canSend(timeoutMilliseconds: 20)
            await Task.yield()
        }
        sent += 1
    }

    /// Messages are read in order: an answer to this one comes after all before it were read.
    private mutating func waitUntilRead() async throws {
        let number = random.next() | 1 << 63
        // A coordinator does not answer it, a shard refuses it; both say so.
        let hello = Hello(clusterID: 0, shard: 0, partitions: 1, shards: 1)
        try await send(try Message(Header(requestID: number), .hello(hello)).encoded())
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            guard let frames = try socket.receive(timeoutMilliseconds: 200) else { continue }
            if (try? Message(frames: frames))?.header.requestID == number { return }
        }
        throw LocalCluster.NotReady(description: "\(endpoint) does not answer any more.")
    }

    /// Connections of other programs, and of half a ZeroMQ.
    mutating func sendForeignBytes() throws {
        let greeting: [UInt8] =
            [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("NULL".utf8)
            + Array(repeating: 0, count: 48)
        let ready: [UInt8] =
            [4, 25, 5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6]
            + Array("DEALER".utf8)
        var lines: [[UInt8]] = [
            [], Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), greeting + ready,
            // A frame of 2^60 bytes, and one of a length below zero.
            greeting + ready + [2, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3],
            greeting + ready + [2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3],
            Array(repeating: 0xFF, count: 4096),
        ]
        for size in 1..<greeting.count { lines.append(Array(greeting.prefix(size))) }
        for _ in 0..<200 {
            let noise = (0..<random.below(300)).map { _ in UInt8(truncatingIfNeeded: random.next())
            }
            lines.append(random.chance(0.5) ? noise : greeting + noise)
            lines.append(greeting + ready + noise)
        }
        for bytes in lines { try sendRaw(bytes) }
    }

    private mutating func sendRaw(_ bytes: [UInt8]) throws {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let file = Glibc.socket(AF_INET, kind, 0)
        defer { close(file) }
        let port = try #require(endpoint.text.split(separator: ":").last.flatMap { UInt16($0) })
        try #require(LoopbackAddress(port).use { connect(file, $0, $1) } == 0)
        _ = Glibc.send(file, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        sent += 1
    }
}
