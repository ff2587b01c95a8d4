import ArgumentParser
import LociClient
import LociImport

struct BenchQuery: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Measures queries by vector, and their recall.",
        discussion: """
            loci bench query digits --queries queries.u8bin --truth truth.ivecs -k 10 --once
            Recall is the part of the true k nearest that are among the k answered; points are taken
            to have the row numbers of the imported file as their ids.
            loci bench query news --queries q.npy --filter 'year = 1999' --truth exact --first 200
            With --truth exact every client first asks for the exact answers, unmeasured: with a \
            filter the only truth there is.
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Option(help: "A file of vectors, one query per row.", completion: .file())
    var queries: String
    @Option(
        help:
            "An .ivecs file with the true nearest rows of every query, or 'exact' to ask for them.",
        completion: .file())
    var truth: String?
    @Option(help: "Only points whose payload passes, as in `loci query`.")
    var filter = ""
    @Option(help: "Ask only the first so many queries; 0: all.")
    var first = 0
    @Option(name: .customShort("k"), help: "How many neighbours: 1 to \(Limits.neighbours).")
    var neighbours = 10
    @Flag(help: "Compare with every point.")
    var exact = false
    @OptionGroup var width: WidthOptions
    @Flag(help: "Ask every query exactly once instead of for --seconds.")
    var once = false
    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...Limits.neighbours).contains(neighbours) else {
            throw ValidationError("-k must be 1 to \(Limits.neighbours), not \(neighbours).")
        }
        guard first >= 0 else { throw ValidationError("--first must not be negative.") }
        guard filter.isEmpty || truth == nil || truth == Self.exactTruth else {
            throw ValidationError("A file's truth is not that of a filter: give --truth exact.")
        }
    }

    private static let exactTruth = "exact"

    func run() async throws {
        var workload = try workload()
        guard options.worker != nil else {
            var kind = exact ? "exact" : width.description
            if !filter.isEmpty { kind += ", filter \(filter)" }
            let clients = BenchClients(
                title: BenchTitle(
                    what: "query \(collection)", pattern: "k \(neighbours), \(kind)",
                    unit: "queries", unitsPerRequest: 1),
                options: options,
                expectedSeconds: once ? nil : options.seconds.seconds + options.warmup.seconds)
            return try await clients.run()
        }
        if truth == Self.exactTruth { workload.truth = try await exactTruth(workload) }
        try options.work(workload, endsByItself: once)
    }

    /// What exact queries answer, for the queries that this client asks.
    private func exactTruth(_ workload: QueryWorkload) async throws -> [Set<UInt64>] {
        let client = try options.common.client()
        var nearest = [Set<UInt64>](repeating: [], count: workload.vectors.count)
        let step = once ? options.clients : 1
        for row in stride(from: once ? workload.position : 0, to: nearest.count, by: step) {
            let answer = try await client.query(
                collection, vector: workload.vectors[row].values(Float.self), k: neighbours,
                isExact: true, filter: filter)
            nearest[row] = try Self.ids(of: answer)
        }
        return nearest
    }

    /// - Throws: UNAVAILABLE if a shard's part is missing: that would be no truth.
    private static func ids(of answer: Matches) throws(LociError) -> Set<UInt64> {
        if answer.isDegraded {
            throw LociError(
                .unavailable, "An exact answer lacks a shard's part, so it is no truth.",
                advice: "Measure when `loci status` shows all shards up.")
        }
        return Set(answer.matches.map(\.id))
    }

    private func workload() throws -> QueryWorkload {
        let (stored, dimension, values) = try Import.readFloats(path: queries)
        guard stored > 0 else {
            throw LociError(.invalidArgument, "\(queries) holds no queries.")
        }
        let rows = first == 0 ? stored : min(first, stored)
        var nearest: [[Int32]] = []
        if let truth, truth != Self.exactTruth {
            nearest = try Import.readTruth(path: truth)
            guard nearest.count >= rows, nearest.allSatisfy({ $0.count >= neighbours }) else {
                throw LociError(
                    .invalidArgument,
                    "\(truth) does not have \(neighbours) neighbours for each of \(rows) queries.",
                    advice: "Choose a smaller -k or the file that belongs to the queries.")
            }
        }
        let vectors = (0..<rows).map { row in
            Bytes(values: Array(values[(row * dimension)..<((row + 1) * dimension)]))
        }
        let client = options.worker ?? 0
        return QueryWorkload(
            body: Query(
                collection: collection, k: UInt32(neighbours), isExact: exact, withPayload: false,
                probes: UInt32(clamping: width.probes), filter: filter, recall: width.recall,
                radius: width.radius),
            vectors: vectors,
            truth: nearest.map {
                Set($0.prefix(neighbours).map { UInt64(UInt32(bitPattern: $0)) })
            },
            step: options.clients, isEndless: !once, position: client)
    }
}

/// Every client takes its share of the queries, in order; an endless one starts over at the end.
private struct QueryWorkload: BenchWorkload {
    let body: Query
    let vectors: [Bytes]
    /// Ids of the true nearest, for each query; empty if unknown.
    var truth: [Set<UInt64>]
    let step: Int
    let isEndless: Bool
    var position: Int

    mutating func next() -> BenchRequest? {
        if position >= vectors.count {
            guard isEndless else { return nil }
            position %= vectors.count
        }
        defer { position += step }
        return BenchRequest(body: .query(body), bulk: [vectors[position]], tag: position)
    }

    func judge(_ answer: Message, tag: Int, into result: inout BenchResult) -> Bool {
        guard case .matches(let matches) = answer.body, answer.bulk.count == 6,
            answer.bulk[0].count == Int(matches.count) * 8
        else { return false }
        result.units += 1
        result.hash &+= answer.bulk[0].checksum(seed: UInt64(tag))
        result.count(matches.receipt)
        if matches.isExhausted { result.exhausted += 1 }
        if matches.isDegraded, matches.receipt.isComplete { result.partials += 1 }
        if !truth.isEmpty {
            let ids = Set(answer.bulk[0].values(UInt64.self).map { UInt64(littleEndian: $0) })
            result.recallHits += UInt64(truth[tag].intersection(ids).count)
            result.recallTotal += UInt64(truth[tag].count)
        }
        return true
    }
}
