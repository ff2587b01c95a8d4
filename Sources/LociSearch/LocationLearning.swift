import LociBase
import LociKernels

/// Learns a generation of hard locations from a sample of the collection: which regions there are,
/// and which partition each belongs to. Pure work, handed to a thread that may take its time.
public struct LocationLearning: Sendable {
    public let dimension: Int
    public let partitions: Int
    /// Vectors one after the other.
    public let sample: [Float]
    public let seed: UInt64

    /// Hard locations planted for each partition, on average; they split as points arrive.
    public static let locationsPerPartition = 16
    /// Share of the fan-out of random placement above which routing is not worth it.
    static let routableShare = 0.7
    static let probes = 128
    static let neighbours = 10

    public init(dimension: Int, partitions: Int, sample: [Float], seed: UInt64) {
        self.dimension = dimension
        self.partitions = partitions
        self.sample = sample
        self.seed = seed
    }

    public struct Outcome: Equatable, Sendable {
        /// For each partition, its centroids one after the other.
        public var centroids: [[Float]]
        /// Partitions that hold the 10 nearest neighbours of a sampled point, on average.
        public var meanPartitions: Double
        /// Sampled points on the fullest partition over the mean.
        public var imbalance: Double
        /// Neighbours are spread almost as if by chance: no query can be sent to few partitions.
        public var isUnroutable: Bool
    }

    public func run() -> Outcome {
        var clustering = HierarchicalClustering(rows: sample, dimension: dimension, seed: seed)
        let leaves = clustering.split(into: partitions * Self.locationsPerPartition)
        let means = leaves.flatMap { clustering.mean(of: $0) }
        let packing = Packing(
            loads: leaves.map { Double($0.count) }, centroids: means, dimension: dimension,
            partitions: partitions)
        var centroids = [[Float]](repeating: [], count: partitions)
        var home = [Int](repeating: 0, count: sample.count / dimension)
        for (leaf, members) in leaves.enumerated() {
            let partition = packing.partitions[leaf]
            centroids[partition] += means[(leaf * dimension)..<((leaf + 1) * dimension)]
            for member in members { home[member] = partition }
        }
        let mean = meanPartitions(home: home, clustering)
        let byChance =
            Double(partitions)
            * (1 - power(1 - 1 / Double(partitions), Self.neighbours))
        return Outcome(
            centroids: centroids, meanPartitions: mean, imbalance: packing.imbalance,
            isUnroutable: partitions > 1 && mean > Self.routableShare * byChance)
    }

    private func meanPartitions(home: [Int], _ clustering: HierarchicalClustering) -> Double {
        var random = SeededRandom(seed: seed ^ 0x5EED)
        var total = 0
        let probes = min(Self.probes, home.count)
        for _ in 0..<probes {
            let probe = random.below(home.count)
            var scores: [Float] = []
            Kernels.score(
                .squaredL2, query: clustering.row(probe), rows: sample, into: &scores)
            var nearest = TopK<(row: Int, score: Float)>(Self.neighbours) { $0.score < $1.score }
            for (row, score) in scores.enumerated() where row != probe {
                nearest.insert((row, score))
            }
            total += Set(nearest.sorted.map { home[$0.row] }).count
        }
        return probes == 0 ? 0 : Double(total) / Double(probes)
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { product, _ in product * base }
    }
}
