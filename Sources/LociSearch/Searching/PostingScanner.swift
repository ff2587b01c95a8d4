public import LociBase
import LociKernels
public import LociModel

/// Scans postings for a query: turns codes into candidates.
public struct PostingScanner: Sendable {
    public let definition: CollectionDefinition
    public let vector: [Float]
    private let query: CodeQuery
    /// Standard deviations of a code's error that a bound leaves room for.
    private let bound: Float
    private var scanner = CodeScanner()
    private var found: [CodeCandidate] = []
    public private(set) var codesScanned: UInt64 = 0

    public init(
        _ definition: CollectionDefinition, coder: PostingCoder, vector: [Float], bound: Float
    ) {
        self.definition = definition
        self.vector = vector
        self.bound = bound
        query = CodeQuery(
            rotated: coder.rotation.rotate(vector), format: coder.format, metric: definition.metric)
    }

    /// How a query stands to a posting's centroid.
    public struct Approach: Sendable {
        /// Squared distance for l2 and cosine, inner product for dot.
        let base: Float
        let distance: Float
        /// By which postings are scanned, nearest first.
        public var rank: Float { distance }
    }

    public func approach(to centroid: [Float]) -> Approach {
        var scores: [Float] = []
        Kernels.score(.squaredL2, query: vector, rows: centroid, into: &scores)
        let distance = scores[0].squareRoot()
        if definition.metric == .dot {
            return Approach(base: Kernels.dot(vector, centroid), distance: distance)
        }
        return Approach(base: scores[0], distance: distance)
    }

    /// Takes the rows of a run that may be of interest. Rows that are stale, or of cells that are
    /// not allowed, are none.
    /// - Parameter isCertain: Whether every row that is allowed is of interest.
    public mutating func scan(
        _ run: RowRun, _ approach: Approach, page: Bytes, points: PointTable,
        partition: PartitionIndex, allowed: CellSet?, isCertain: Bool = true,
        into candidates: inout CandidateSet
    ) {
        found.removeAll(keepingCapacity: true)
        scanner.scan(
            rows: page, at: run.offset, count: run.count, query: query, base: approach.base,
            distance: approach.distance, bound: bound, threshold: candidates.threshold,
            found: &found)
        codesScanned += UInt64(run.count)
        for code in found where code.lower <= candidates.threshold {
            guard points.isCurrent(code.cell, tag: code.tag), allowed?.contains(code.cell) ?? true
            else { continue }
            let record = points[code.cell]
            candidates.insert(
                Candidate(
                    partition: partition, cell: code.cell, id: record.id,
                    version: record.version, estimate: code.estimate, lower: code.lower),
                upper: code.upper, isCertain: isCertain)
        }
    }
}
