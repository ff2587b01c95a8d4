import Foundation
import LociBase
import LociClient
import LociImport
import LociModel
import LociRuntime

/// Fills a benchmark's collection from a file of vectors, unless it is filled already.
struct SearchBuild {
    let plan: SearchSeat.Plan
    let base: String
    /// Rows at the end that are timed apart.
    let inserts: UInt64

    /// Payloads are `{"u": N}` with N below this.
    static let hashes: UInt64 = 1_000_000
    private static let batchRows = 1024

    func run() throws -> SearchBuildFigures {
        let resident = ProcessMemory.residentMebibytes()
        let collection = try plan.open()
        var figures = SearchBuildFigures()
        let points = try collection.report().points
        if points == 0 {
            try fill(collection, into: &figures)
        } else if let rows = try Import.describe(path: base).rows, rows != points {
            throw LociError(
                .invalidArgument,
                "\(plan.folder) holds \(points) points, and \(base) has \(rows) rows.",
                advice: "A build that was interrupted cannot be measured: remove the folder.")
        }
        let report = try collection.report()
        figures.points = report.points
        figures.locations = report.locations
        figures.splits = report.splits
        figures.moved = report.moved
        figures.evaluated = report.evaluated
        figures.codeBytes = report.codeBytes
        figures.vectorBytes = report.vectorBytes
        figures.tableBytes = report.tableBytes
        figures.indexBytes = report.indexBytes
        figures.locationBytes = report.locationBytes
        figures.residentMebibytes = ProcessMemory.residentMebibytes()
        figures.collectionMebibytes = figures.residentMebibytes - resident
        return figures
    }

    private func fill(
        _ collection: LocalCollection, into figures: inout SearchBuildFigures
    ) throws {
        var source = try Import.open(path: base)
        guard let rows = try Import.describe(path: base).rows, inserts < rows else {
            throw LociError(
                .invalidArgument, "\(base) has no \(inserts) rows to insert after others.",
                advice: "Choose fewer --inserts, and a file of vectors.")
        }
        let builtRows = rows - inserts
        var next: UInt64 = 0
        func timed(until end: UInt64) throws -> SearchBuildFigures.Part {
            var part = SearchBuildFigures.Part()
            while next < end {
                let limit = Int(min(UInt64(Self.batchRows), end - next))
                guard let batch = try source.next(limit) else { break }
                let started = (Clock.now(), StoreFigures.processorSeconds())
                try upsert(batch.vectors, from: next, into: collection)
                next += UInt64(batch.count)
                part.rows += UInt64(batch.count)
                part.seconds += Double(Clock.now().nanoseconds - started.0.nanoseconds) / 1e9
                part.cpuSeconds += StoreFigures.processorSeconds() - started.1
            }
            return part
        }
        figures.build = try timed(until: builtRows)
        figures.inserts = try timed(until: rows)
    }

    private func upsert(
        _ vectors: [Float], from first: PointID, into collection: LocalCollection
    ) throws(LociError) {
        let count = vectors.count / plan.dimension
        var vectors = vectors
        if plan.metric == .cosine {
            for start in stride(from: 0, to: vectors.count, by: plan.dimension) {
                let row = start..<(start + plan.dimension)
                vectors.replaceSubrange(row, with: Array(vectors[row]).ofLengthOne)
            }
        }
        let ids = (0..<count).map { first + PointID($0) }
        try collection.upsert(
            ids, vectors: Bytes(values: vectors),
            payloads: ids.map { plan.options.indexedFields.isEmpty ? Bytes() : payload(of: $0) })
    }

    private func payload(of row: PointID) -> Bytes {
        Bytes(values: Array("{\"u\": \(mix64(row) % Self.hashes)}".utf8))
    }
}

/// What a build made, and what it cost if it was made now.
struct SearchBuildFigures: Encodable {
    struct Part: Encodable {
        var rows: UInt64 = 0
        /// Without reading the file.
        var seconds = 0.0
        /// User and system time of the process.
        var cpuSeconds = 0.0
    }

    let kind = "built"
    /// Nil if the folder held the collection already.
    var build: Part?
    /// The rows after those.
    var inserts: Part?
    var points: UInt64 = 0
    var locations: UInt64 = 0
    var splits: UInt64 = 0
    var moved: UInt64 = 0
    var evaluated: UInt64 = 0
    var codeBytes: UInt64 = 0
    var vectorBytes: UInt64 = 0
    var tableBytes: UInt64 = 0
    var indexBytes: UInt64 = 0
    var locationBytes: UInt64 = 0
    /// Of the process now, not at its peak.
    var residentMebibytes = 0.0
    /// ... of them since before the collection was opened.
    var collectionMebibytes = 0.0

    func show(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSONLine(self) }
        func cost(_ part: Part) -> String {
            let rows = Double(max(part.rows, 1))
            return
                "\(Show.amount(part.rows, "row")) in \(Show.decimal(part.seconds, places: 1)) s, "
                + "\(Int(rows / max(part.seconds, 1e-9))) rows/s, CPU "
                + "\(Show.decimal(part.cpuSeconds, places: 1)) s, "
                + "\(Show.decimal(part.cpuSeconds * 1e6 / rows, places: 1)) us a row"
        }
        if let build, build.rows > 0 { print("built \(cost(build))") }
        if let inserts, inserts.rows > 0 { print("inserted \(cost(inserts))") }
        print(
            "\(Show.amount(points, "point")), \(locations) hard locations, \(splits) splits, "
                + "\(moved) moved of \(evaluated) looked at; resident "
                + "\(Show.decimal(residentMebibytes, places: 0)) MiB, codes "
                + "\(codeBytes >> 20) MiB, vectors \(vectorBytes >> 20) MiB, tables "
                + "\(tableBytes >> 20) MiB, indexes \(indexBytes >> 20) MiB, "
                + "hard locations \(locationBytes >> 20) MiB")
    }
}

/// Memory of this process.
enum ProcessMemory {
    /// What is resident now (`/proc/self/statm`), in MiB; 0 where the kernel does not say.
    static func residentMebibytes() -> Double {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
            return 0
        }
        let words = text.split(separator: " ")
        guard words.count > 1, let pages = Double(words[1]) else { return 0 }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
    }
}
