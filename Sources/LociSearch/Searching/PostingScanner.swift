public import LociBase
import LociKernels
public import LociModel

/// Scans postings for a query: turns codes into candidates.
public struct PostingScanner: Sendable {
    public let definition: CollectionDefinition
    public let vector: [Float]
    private var scanner: CodeScanner
    private var found: [CodeCandidate] = []
    public private(set) var codesScanned: UInt64 = 0
    /// Points that were allowed, where not all are.
    public private(set) var passed: UInt64 = 0
    private let coder: PostingCoder

    /// - Parameter bound: Standard deviations of a code's error that a bound leaves room for.
    public init(
        _ definition: CollectionDefinition, coder: PostingCoder, vector: [Float], bound: Float
    ) {
        self.definition = definition
        self.vector = vector
        self.coder = coder
        scanner = CodeScanner(query: coder.query(vector), epsilon: bound)
    }

    /// Where the query stands to the centroids of postings; nil for unknown ones.
    public func origins(of keys: [LocationKey], in locations: LocationIndex) -> [CodeOrigin?] {
        let isDot = definition.metric == .dot
        return locations.scores(of: keys, with: vector, wantsProducts: isDot).map { scores in
            scores.map {
                isDot
                    ? CodeOrigin(innerProduct: $0.product, squaredDistance: $0.squaredDistance)
                    : CodeOrigin(squaredDistance: $0.squaredDistance)
            }
        }
    }

    /// To be called a moment before a run is scanned.
    public func fetch(_ run: RowRun, page: Bytes) {
        scanner.fetch(page, at: run.offset, count: run.count)
    }

    /// Takes the rows of a run that may be of interest. Rows that are stale, or of cells that are
    /// not allowed, are none.
    /// - Parameter isCertain: Whether every row that is allowed is of interest.
    public mutating func scan(
        _ run: RowRun, _ origin: CodeOrigin, page: Bytes, points: PointTable,
        at key: LocationKey, allowed: CellSet?, isCertain: Bool = true,
        into candidates: inout CandidateSet
    ) {
        found.removeAll(keepingCapacity: true)
        scanner.scan(
            page, at: run.offset, count: run.count, origin: origin,
            threshold: candidates.threshold, into: &found)
        codesScanned += UInt64(run.count)
        if let allowed { countPassed(run, page, points, allowed, key.location) }
        points.fetch(found)
        for code in found where code.lower <= candidates.threshold {
            guard points.isCurrent(code.cell, tag: code.tag), allowed?.contains(code.cell) ?? true
            else { continue }
            let record = points[code.cell]
            candidates.insert(
                Candidate(
                    partition: key.partition, cell: code.cell, id: record.id,
                    version: record.version, estimate: code.estimate, lower: code.lower),
                upper: code.upper, isCertain: isCertain)
        }
    }

    private mutating func countPassed(
        _ run: RowRun, _ page: Bytes, _ points: PointTable, _ allowed: CellSet,
        _ location: LocationID
    ) {
        for row in 0..<run.count {
            let header = coder.header(of: page, at: run.offset + row * coder.format.rowBytes)
            guard allowed.contains(header.cell),
                points.isCurrent(header.cell, tag: header.tag)
            else { continue }
            // Of the copies of a point one counts.
            let record = points[header.cell]
            if record.location == location, record.isPrimary { passed += 1 }
        }
    }
}

extension CodeOrigin {
    init(from query: [Float], to centroid: [Float], metric: Metric) {
        var squared: [Float] = []
        Kernels.score(.squaredL2, query: query, rows: centroid, into: &squared)
        if metric == .dot {
            self.init(innerProduct: Kernels.dot(query, centroid), squaredDistance: squared[0])
        } else {
            self.init(squaredDistance: squared[0])
        }
    }
}
