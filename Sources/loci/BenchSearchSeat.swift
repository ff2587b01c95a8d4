import Foundation
import LociBase
import LociClient
import LociImport
import LociModel
import LociRuntime
import LociSearch
import Synchronization

/// How wide a query of a benchmark looks.
struct SearchSetting: Sendable {
    let probes: Int
    let radius: Float
    let bound: Float

    /// Nil unless they are numbers in their ranges.
    init?(_ probes: Substring, _ radius: Substring, _ bound: Substring) {
        guard let probes = Int(probes), let radius = Float(radius), let bound = Float(bound),
            (1...SearchTuning.mostProbes).contains(probes), radius >= 1, bound > 0, bound.isFinite
        else { return nil }
        self.probes = probes
        self.radius = radius
        self.bound = bound
    }
}

/// What is asked, and what the true answers are.
struct SearchWorkload: Sendable {
    let k: Int
    let dimension: Int
    let vectors: [[Float]]
    /// Ids of the true nearest, for each query, at most k.
    var truth: [Set<PointID>]
    var filter = ""
    /// The part of the points that passes the filter.
    var share: Double?

    /// - Throws: What reading the files meets; INVALID_ARGUMENT if they do not belong together.
    init(queries: String, truth: String?, metric: Metric, k: Int, first: Int) throws(LociError) {
        let (rows, dimension, values) = try Import.readFloats(path: queries)
        let count = first == 0 ? rows : min(first, rows)
        guard count > 0 else {
            throw LociError(.invalidArgument, "\(queries) holds no queries.")
        }
        self.k = k
        self.dimension = dimension
        vectors = (0..<count).map { row in
            let vector = Array(values[(row * dimension)..<((row + 1) * dimension)])
            return metric == .cosine ? vector.ofLengthOne : vector
        }
        guard let truth else {
            self.truth = []
            return
        }
        let nearest = try Import.readTruth(path: truth)
        guard nearest.count >= count, nearest.allSatisfy({ $0.count >= k }) else {
            throw LociError(
                .invalidArgument,
                "\(truth) does not have \(k) neighbours for each of \(count) queries.",
                advice: "Choose a smaller -k or the file that belongs to the queries.")
        }
        self.truth = nearest.prefix(count).map { Set($0.prefix(k).map(PointID.init)) }
    }
}

extension [Float] {
    /// The same direction with length 1; zeros stay.
    var ofLengthOne: [Float] {
        let length = reduce(0 as Double) { $0 + Double($1) * Double($1) }.squareRoot()
        return length > 0 ? map { Float(Double($0) / length) } : self
    }
}

/// A collection that one thread at a time asks.
final class SearchSeat: Sendable {
    /// How a collection is opened. The same folder is opened with the same shape every time.
    struct Plan: Sendable {
        var folder: String
        let dimension: Int
        let metric: Metric
        let options: CollectionOptions
        let dramBytes: Int
        let splitAbove: Int

        func open() throws(LociError) -> LocalCollection {
            var tuning = SearchTuning()
            tuning.splitAbove = splitAbove
            return try LocalCollection(
                folder: folder, dimension: dimension, metric: metric, options: options,
                dramBytes: dramBytes, tuning: tuning)
        }

        /// Seat 0 uses the folder itself; others a copy, made if it is not there.
        func copied(for seat: Int) throws -> Plan {
            guard seat > 0 else { return self }
            var copy = self
            copy.folder = "\(folder).\(seat + 1)"
            if !FileManager.default.fileExists(atPath: copy.folder) {
                // Under another name until it is whole.
                let part = copy.folder + ".part"
                try? FileManager.default.removeItem(atPath: part)
                try Self.copy(folder, to: part)
                try FileManager.default.moveItem(atPath: part, toPath: copy.folder)
            }
            return copy
        }

        /// By `cp`, which leaves holes as they are: segments are mostly holes.
        private static func copy(_ folder: String, to other: String) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/cp")
            process.arguments = ["-a", "--sparse=always", folder, other]
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                throw LociError(
                    .internal, "'\(folder)' could not be copied for another thread.",
                    advice: "See what cp says; each thread needs a copy of its own.")
            }
        }
    }

    /// What asking all queries once found and cost.
    struct Pass: Sendable {
        var nanoseconds: [UInt64] = []
        var found = 0
        var wanted = 0
        var receipt = Receipt()
        var locations: UInt64 = 0
    }

    private let collection: Mutex<LocalCollection>

    init(_ plan: Plan) throws { collection = Mutex(try plan.open()) }

    func pass(_ workload: SearchWorkload, _ setting: SearchSetting) throws -> Pass {
        try collection.withLock { try Self.pass($0, workload, setting) }
    }

    private static func pass(
        _ collection: LocalCollection, _ workload: SearchWorkload, _ setting: SearchSetting
    ) throws(LociError) -> Pass {
        var pass = Pass()
        pass.nanoseconds.reserveCapacity(workload.vectors.count)
        for (vector, truth) in zip(workload.vectors, workload.truth) {
            let start = Clock.now()
            let (matches, receipt) = try collection.query(
                vector, k: workload.k, probes: setting.probes, radius: setting.radius,
                bound: setting.bound, filter: workload.filter)
            pass.nanoseconds.append(Clock.now().nanoseconds - start.nanoseconds)
            pass.found += matches.count { truth.contains($0.id) }
            pass.wanted += truth.count
            pass.receipt.addWork(of: receipt)
            pass.locations += UInt64(receipt.locationsActive)
        }
        return pass
    }

    /// The same queries among the points that pass a filter, with what an exact query answers.
    func filtered(_ workload: SearchWorkload, share: Double) throws -> SearchWorkload {
        var result = workload
        result.share = share
        result.filter = "u < \(Int((share * Double(SearchBuild.hashes)).rounded()))"
        result.truth = []
        for vector in workload.vectors {
            let filter = result.filter
            let ids = try collection.withLock {
                try $0.query(vector, k: workload.k, probes: 1, filter: filter, isExact: true)
                    .matches.map(\.id)
            }
            result.truth.append(Set(ids))
        }
        guard result.truth.contains(where: { !$0.isEmpty }) else {
            throw LociError(
                .invalidArgument, "No point passes \(result.filter).",
                advice: "Choose a larger --filter-share, or a folder that was built with it.")
        }
        return result
    }
}
