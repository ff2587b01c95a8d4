import LociBase
import LociKernels
import LociModel
import LociSearch

/// Hard locations, closure, posting lists and packing of a data set, all in memory, and what
/// queries find and whom they ask: how good addresses are, apart from everything that stores and
/// sends (SPANN, sections 4.1 to 4.3).
public struct AddressingTrial: Sendable {
    public var points: Int
    public var queries: Int
    public var shards: [Int]
    public var isClustered: Bool
    public var seed: UInt64

    /// Hard locations for each point.
    public static let headShare = 0.186
    /// Points on a posting list.
    public static let listLimit = 118
    static let copies = 8
    /// Of the closure, on squared distances.
    static let epsilon: Float = 10
    static let neighbours = 10
    static let most = 64
    static let sampleRows = 4096

    public init(
        points: Int = 100_000, queries: Int = 1000, shards: [Int] = [32], isClustered: Bool = true,
        seed: UInt64 = 1
    ) {
        precondition(points >= 100 && queries > 0 && shards.allSatisfy { $0 > 0 })
        self.points = points
        self.queries = queries
        self.shards = shards
        self.isClustered = isClustered
        self.seed = seed
    }

    public func run() -> AddressingReport {
        let dimension = AddressingData.dimension
        var data = AddressingData(isClustered: isClustered, seed: seed)
        let rows = data.rows(points)
        let asking = data.rows(queries)
        var clustering = HierarchicalClustering(rows: rows, dimension: dimension, seed: seed)
        let leaves = clustering.split(into: Int(Double(points) * Self.headShare))
        let heads = leaves.flatMap { clustering.row(clustering.head(of: $0)) }
        let keys = leaves.indices.map { LocationKey(partition: 0, location: LocationID($0)) }
        var exact = LocationIndex(dimension: dimension)
        exact.insert(keys, generation: 1, centroids: heads)
        var compact = LocationIndex(dimension: dimension, keepsExact: false)
        compact.insert(keys, generation: 1, centroids: heads)

        let lists = PostingLists(rows: rows, locations: exact, count: heads.count / dimension)
        var addresses: [[ActiveLocation]] = []
        var truth: [[Int]] = []
        var found = 0
        for query in 0..<queries {
            let vector = Array(asking[(query * dimension)..<((query + 1) * dimension)])
            truth.append(nearest(vector, rows))
            let address = compact.address(
                of: vector, metric: .l2, most: Self.most, epsilon: .infinity)
            addresses.append(address)
            let sure = exact.address(of: vector, metric: .l2, most: 16, epsilon: .infinity)
            found += Set(sure.map(\.key)).intersection(address.prefix(16).map(\.key)).count
        }
        let reading = AddressedReading(addresses: addresses, truth: truth)
        return AddressingReport(
            points: points, queries: queries, locations: leaves.count,
            codeShare: Double(compact.codeBytes) / Double(rows.count * MemoryLayout<Float>.stride),
            codeRecall: Double(found) / Double(queries * min(16, leaves.count)),
            meanCopies: lists.meanCopies, copied: lists.copied, meanList: lists.meanLength,
            longestList: lists.longest,
            closure: [4, 8, 16, 32].map { reading.read(lists.closure, lists: $0) },
            single: [8, 16, 32, 64].map { reading.read(lists.single, lists: $0) },
            pruned: [0.6, 1.5, 3].map { epsilon in
                (epsilon, reading.read(lists.closure, lists: Self.most, epsilon: epsilon))
            },
            shards: shards.map { count in
                pack(count, lists.closure.map(\.count), heads, reading, rows)
            })
    }

    private func pack(
        _ count: Int, _ loads: [Int], _ heads: [Float], _ reading: AddressedReading,
        _ rows: [Float]
    ) -> AddressingReport.Shards {
        let dimension = AddressingData.dimension
        let packing = Packing(
            loads: loads.map(Double.init), centroids: heads, dimension: dimension,
            partitions: count)
        var random = SeededRandom(seed: seed ^ 0x0DD5)
        let scattered = loads.map { _ in random.below(count) }
        let sample = rows.prefix(min(points, Self.sampleRows) * dimension)
        let learned = LocationLearning(
            dimension: dimension, partitions: count, sample: Array(sample), seed: seed
        ).run()
        return AddressingReport.Shards(
            count: count, imbalance: packing.imbalance, isUnroutable: learned.isUnroutable,
            neighbourPartitions: learned.meanPartitions,
            asked: [4, 8, 16, 32].map { lists in
                reading.asked(packing.partitions, atRandom: scattered, lists: lists)
            })
    }

    /// The exact answer.
    private func nearest(_ vector: [Float], _ rows: [Float]) -> [Int] {
        var scores: [Float] = []
        scores.reserveCapacity(points)
        Kernels.score(.squaredL2, query: vector, rows: rows, into: &scores)
        var best = TopK<(row: Int, score: Float)>(Self.neighbours) { $0.score < $1.score }
        for (row, score) in scores.enumerated() { best.insert((row, score)) }
        return best.sorted.map(\.row)
    }
}
