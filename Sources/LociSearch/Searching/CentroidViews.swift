public import LociBase
import LociKernels
import LociModel

/// The codes of a posting as seen from the old centroid of a split and from its new ones.
public struct CentroidViews: Sendable {
    private let coder: PostingCoder
    private let metric: Metric
    private let centroids: [[Float]]
    private let queries: [CodeQuery]

    /// - Parameter centroids: The old one first.
    public init(_ slice: CollectionSlice, _ centroids: [[Float]]) {
        coder = slice.coder
        metric = slice.definition.metric
        self.centroids = centroids
        let coder = slice.coder
        queries = centroids.map { coder.query($0) }
    }

    /// Rows that are estimated to lie nearer to one of the new centroids than to the old one, and
    /// than to the posting's own.
    public mutating func nearer(
        _ run: RowRun, centroid: [Float], page: Bytes
    ) -> [(cell: CellNumber, tag: UInt32)] {
        let own = scan(run, coder.query(centroid), from: centroid, around: centroid, page)
        let old = scan(run, queries[0], from: centroids[0], around: centroid, page)
        var least = [Float](repeating: .infinity, count: own.count)
        for index in 1..<centroids.count {
            let new = scan(run, queries[index], from: centroids[index], around: centroid, page)
            for row in least.indices { least[row] = min(least[row], new[row].estimate) }
        }
        return own.indices.filter { least[$0] < own[$0].estimate && least[$0] <= old[$0].estimate }
            .map { (own[$0].cell, own[$0].tag) }
    }

    /// All rows in order, with their estimated squared distances from a point.
    private mutating func scan(
        _ run: RowRun, _ query: CodeQuery, from point: [Float], around centroid: [Float],
        _ page: Bytes
    ) -> [CodeCandidate] {
        var scanner = CodeScanner(query: query, epsilon: 0)
        var found: [CodeCandidate] = []
        scanner.scan(
            page, at: run.offset, count: run.count,
            origin: CodeOrigin(from: point, to: centroid, metric: metric), threshold: .infinity,
            into: &found)
        return found
    }
}
