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
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Option(help: "A file of vectors, one query per row.", completion: .file())
    var queries: String
    @Option(help: "An .ivecs file with the true nearest rows of every query.", completion: .file())
    var truth: String?
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
    }

    func run() async throws {
        let workload = try workload()
        guard options.worker != nil else {
            let kind = exact ? "exact" : width.description
            let clients = BenchClients(
                title: BenchTitle(
                    what: "query \(collection)", pattern: "k \(neighbours), \(kind)",
                    unit: "queries", unitsPerRequest: 1),
                options: options,
                expectedSeconds: once ? nil : options.seconds.seconds + options.warmup.seconds)
            return try await clients.run()
        }
        try options.work(workload, endsByItself: once)
    }

    private func workload() throws -> QueryWorkload {
        let (rows, dimension, values) = try Import.readFloats(path: queries)
        guard rows > 0 else {
            throw LociError(.invalidArgument, "\(queries) holds no queries.")
        }
        var nearest: [[Int32]] = []
        if let truth {
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
                probes: UInt32(clamping: width.probes), recall: width.recall,
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
    let truth: [Set<UInt64>]
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
        if matches.isDegraded, matches.receipt.isComplete { result.partials += 1 }
        if !truth.isEmpty {
            let ids = Set(answer.bulk[0].values(UInt64.self).map { UInt64(littleEndian: $0) })
            result.recallHits += UInt64(truth[tag].intersection(ids).count)
            result.recallTotal += UInt64(truth[tag].count)
        }
        return true
    }
}
