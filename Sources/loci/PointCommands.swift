import ArgumentParser
import LociClient

struct RetrieveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieve", abstract: "Prints points by their ids.")

    @Argument(help: "Name of the collection.")
    var collection: String
    @Argument(help: "Ids of points.")
    var ids: [UInt64]
    @Flag(help: "Print the vectors as well.")
    var vectors = false
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let points = try await common.client().retrieve(
            collection, ids: ids, withVector: vectors)
        try PointsReport.show(points, explains: explanation.explain, asJSON: common.json)
        let found = Set(points.points.map(\.id))
        let missing = Set(ids).subtracting(found).sorted()
        if !missing.isEmpty, !points.isDegraded {
            let names = missing.prefix(8).map(String.init).joined(separator: ", ")
            throw LociError(
                .notFound,
                "'\(collection)' has no point \(names)\(missing.count > 8 ? " ..." : "").",
                advice: "`loci scroll \(collection)` lists points.")
        }
        if points.isDegraded { try Terminal.leavePartial(points.receipt) }
    }
}

struct ScrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scroll", abstract: "Prints points in the order of their ids.")

    @Argument(help: "Name of the collection.")
    var collection: String
    @Option(help: "First id.")
    var from: UInt64 = 0
    @Option(help: "How many points at most: 1 to \(Limits.pointsPerRequest).")
    var limit = 20
    @Flag(help: "Print the vectors as well.")
    var vectors = false
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...Limits.pointsPerRequest).contains(limit) else {
            throw ValidationError("--limit must be 1 to \(Limits.pointsPerRequest), not \(limit).")
        }
    }

    func run() async throws {
        let points = try await common.client().scroll(
            collection, from: from, limit: limit, withVector: vectors)
        try PointsReport.show(points, explains: explanation.explain, asJSON: common.json)
        if points.hasMore, !common.json, let last = points.points.last {
            Terminal.note("There are more: loci scroll \(collection) --from \(last.id &+ 1)")
        }
        if points.isDegraded { try Terminal.leavePartial(points.receipt) }
    }
}

struct CountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "count", abstract: "Counts the points of a collection.")

    @Argument(help: "Name of the collection.")
    var collection: String
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let outcome = try await common.client().count(collection)
        if common.json {
            try Terminal.printJSON(
                CountReport(count: outcome.count, receipt: ReceiptReport(outcome.receipt)))
        } else {
            print(outcome.count)
            if explanation.explain { outcome.receipt.printTable() }
        }
        if outcome.isDegraded { try Terminal.leavePartial(outcome.receipt) }
    }
}

struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Removes points by their ids.")

    @Argument(help: "Name of the collection.")
    var collection: String
    @Argument(help: "Ids of points.")
    var ids: [UInt64]
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let outcome = try await common.client().delete(collection, ids: ids)
        if common.json {
            try Terminal.printJSON(
                CountReport(count: outcome.count, receipt: ReceiptReport(outcome.receipt)))
        } else {
            print("Deleted \(Show.amount(outcome.count, "point")) of '\(collection)'.")
            if explanation.explain { outcome.receipt.printTable() }
        }
        if outcome.isDegraded { try Terminal.leavePartial(outcome.receipt) }
    }
}

/// A number of points as JSON.
private struct CountReport: Encodable {
    let count: UInt64
    let receipt: ReceiptReport
}

/// Points as JSON.
struct PointsReport: Encodable {
    struct Item: Encodable {
        let id: UInt64
        let version: UInt64
        let payload: PayloadReport
        let vector: [Float]?
    }

    let points: [Item]
    let hasMore: Bool
    let degraded: Bool
    let receipt: ReceiptReport

    init(_ answer: Points) {
        points = answer.points.map {
            Item(
                id: $0.id, version: $0.version, payload: PayloadReport($0.payload),
                vector: $0.vector.isEmpty ? nil : $0.vector)
        }
        hasMore = answer.hasMore
        degraded = answer.isDegraded
        receipt = ReceiptReport(answer.receipt)
    }

    static func show(_ answer: Points, explains: Bool, asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(PointsReport(answer)) }
        let hasVectors = answer.points.contains { !$0.vector.isEmpty }
        var table = hasVectors ? Table("#id", "payload", "vector") : Table("#id", "payload")
        for point in answer.points {
            let payload =
                PassagePayload(point.payload).map { "\($0.place)  \($0.firstLine(of: 80))" }
                ?? PassagePayload.cut(point.payload, to: 100)
            if hasVectors {
                let values = point.vector.map { "\($0)" }.joined(separator: ",")
                table.add("\(point.id)", payload, values)
            } else {
                table.add("\(point.id)", payload)
            }
        }
        table.print()
        if explains { answer.receipt.printTable() }
    }
}
