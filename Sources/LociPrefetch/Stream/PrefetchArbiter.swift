/// What is known about a proposed page, packed: a byte for each nominal attribute, and two numbers.
struct Evidence: Sendable, Equatable {
    var nominal: UInt64 = 0
    var distance: Float = 0
    var recentRight: Float = 0
}

/// Says how likely it is that a proposed page comes soon: a Hoeffding tree, and until that has
/// grown a record of what came of proposals like it.
///
/// An example is a page that one candidate or several propose; its class is whether it came within
/// the window. This asks once for each page, where a tree with a class for each candidate could
/// not say that two are right; the surest page, and with it the candidates to trust, follow by
/// comparing. Pages that were resident anyhow are no examples: fetching them gains nothing.
///
/// Drift: a second tree learns beside the first from scratch. After every `epoch` examples it
/// takes over if its probabilities were the better ones (Brier score), and in any case a new one
/// starts.
struct PrefetchArbiter: Sendable {
    /// Attributes: who proposes it (a set of four), the length of the run, the confidence of the
    /// three tables where they propose it, the three last steps by kind; how far it is (log2), and
    /// how often its first proposer was right lately.
    private static let attributes: [HoeffdingTree.Attribute] = [
        .nominal(values: 16), .nominal(values: 5), .nominal(values: 5), .nominal(values: 5),
        .nominal(values: 5), .nominal(values: 8), .nominal(values: 8), .nominal(values: 8),
        .numeric, .numeric,
    ]
    private static let nominalCount = 8
    static let treeBytes = 11_000
    static let epoch = 8192
    /// Examples that a leaf's estimate from the record is worth.
    private static let priorWeight: Float = 8
    /// Records are halved when they have seen as many.
    private static let recordLimit: Float = 512

    private var tree: HoeffdingTree
    private var next: HoeffdingTree
    private var values = [Float](repeating: 0, count: attributes.count)
    private var rights: [Float]
    private var totals: [Float]
    private var examples = 0
    private var error: Float = 0
    private var nextError: Float = 0

    init() {
        var options = HoeffdingTree.Options()
        options.prediction = .majority
        options.mostBytes = Self.treeBytes
        tree = HoeffdingTree(attributes: Self.attributes, classes: 2, options: options)
        next = tree
        totals = Array(repeating: 4, count: Self.bucketCount)
        rights = (0..<Self.bucketCount).map { 4 * Self.prior(bucket: $0) }
    }

    var memoryBytes: Int {
        tree.memoryBytes + next.memoryBytes
            + (values.capacity + rights.capacity + totals.capacity) * MemoryLayout<Float>.stride
    }

    var leafCount: Int { tree.leafCount }

    // MARK: - The record: by the surest proposer, its confidence, and how many agree

    private static let bucketCount = 4 * 4 * 3

    static func bucket(payer: Int, confidence: Int, supporters: Int) -> UInt8 {
        UInt8((payer * 4 + confidence) * 3 + min(supporters, 3) - 1)
    }

    private static func prior(bucket: Int) -> Float {
        if bucket / 12 == PrefetchCandidate.stride.rawValue { return 0.8 }
        return [0.1, 0.5, 0.7, 0.8][bucket / 3 % 4]
    }

    func recordedProbability(_ bucket: UInt8) -> Float {
        rights[Int(bucket)] / totals[Int(bucket)]
    }

    // MARK: - The tree

    mutating func probability(_ evidence: Evidence, bucket: UInt8) -> Float {
        load(evidence)
        return probability(in: tree, bucket)
    }

    /// The fate of a page is known.
    mutating func learn(_ evidence: Evidence, bucket: UInt8, isRight: Bool) {
        load(evidence)
        let truth: Float = isRight ? 1 : 0
        let off = probability(in: tree, bucket) - truth
        let nextOff = probability(in: next, bucket) - truth
        error += off * off
        nextError += nextOff * nextOff
        rights[Int(bucket)] += truth
        totals[Int(bucket)] += 1
        if totals[Int(bucket)] >= Self.recordLimit {
            rights[Int(bucket)] /= 2
            totals[Int(bucket)] /= 2
        }
        tree.learn(values, label: isRight ? 1 : 0)
        next.learn(values, label: isRight ? 1 : 0)
        examples += 1
        // The first half is left to the young tree to grow up in.
        if examples == Self.epoch / 2 {
            error = 0
            nextError = 0
        }
        if examples == Self.epoch { endEpoch() }
    }

    private mutating func endEpoch() {
        if nextError < error { swap(&tree, &next) }
        next.reset()
        examples = 0
        error = 0
        nextError = 0
    }

    private func probability(in tree: HoeffdingTree, _ bucket: UInt8) -> Float {
        let prior = recordedProbability(bucket)
        guard !tree.isSingleLeaf else { return prior }
        let counts = tree.counts(at: values)
        return (counts.right + prior * Self.priorWeight) / (counts.all + Self.priorWeight)
    }

    private mutating func load(_ evidence: Evidence) {
        for index in 0..<Self.nominalCount {
            values[index] = Float(evidence.nominal >> UInt64(8 * index) & 0xFF)
        }
        values[Self.nominalCount] = evidence.distance
        values[Self.nominalCount + 1] = evidence.recentRight
    }
}

extension HoeffdingTree {
    var isSingleLeaf: Bool { nodes.count == 1 }

    /// Of two classes: examples of the second and all examples that reached the leaf.
    func counts(at values: [Float]) -> (right: Float, all: Float) {
        let start = leaf(of: values) * 2
        return (classCounts[start + 1], classCounts[start] + classCounts[start + 1])
    }
}
