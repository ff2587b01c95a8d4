/// What is known about a proposed page, packed: four bits for each nominal attribute, and two
/// numbers.
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
    /// Nominal: the confidence of each candidate where it proposes the page, how many do, the
    /// length of the run, which of the last two pages were not there by chance, the three last
    /// steps by kind. Numeric: how far it is (log2), and how often its first proposer was right
    /// lately.
    private static let attributes: [HoeffdingTree.Attribute] = [
        .nominal(values: 5), .nominal(values: 5), .nominal(values: 5), .nominal(values: 5),
        .nominal(values: 5), .nominal(values: 5), .nominal(values: 5), .nominal(values: 4),
        .nominal(values: 8), .nominal(values: 8), .nominal(values: 8), .numeric, .numeric,
    ]
    private static let nominalCount = 11
    static let treeBytes = 9000
    static let epoch = 8192
    /// A wrong split costs little here, where a second tree grows all the time; a late one more.
    private static let delta = 1e-3
    private static let tie = 0.1
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
        options.delta = Self.delta
        options.tie = Self.tie
        options.mostBytes = Self.treeBytes
        tree = HoeffdingTree(attributes: Self.attributes, classes: 2, options: options)
        // Not a copy of the first: that would not have its reserved memory.
        next = HoeffdingTree(attributes: Self.attributes, classes: 2, options: options)
        totals = Array(repeating: 4, count: Self.bucketCount)
        rights = (0..<Self.bucketCount).map { 4 * Self.prior(bucket: $0) }
    }

    var memoryBytes: Int {
        tree.memoryBytes + next.memoryBytes
            + (values.capacity + rights.capacity + totals.capacity) * MemoryLayout<Float>.stride
    }

    var leafCount: Int { tree.leafCount }

    // MARK: - The record: by the surest proposer, its confidence, and how many agree

    private static let bucketCount = 5 * 4 * 3

    static func bucket(payer: Int, confidence: Int, supporters: Int) -> UInt8 {
        UInt8((payer * 4 + confidence) * 3 + min(supporters, 3) - 1)
    }

    private static func prior(bucket: Int) -> Float {
        if bucket / 12 == PrefetchCandidate.stride.rawValue { return 0.8 }
        if bucket / 12 == PrefetchCandidate.next.rawValue { return 0.2 }
        return [0.1, 0.5, 0.7, 0.8][bucket / 3 % 4]
    }

    func recordedProbability(_ bucket: UInt8) -> Float {
        rights[Int(bucket)] / totals[Int(bucket)]
    }

    // MARK: - The tree

    mutating func probability(_ evidence: Evidence, bucket: UInt8) -> Float {
        load(evidence)
        return tree.share(at: tree.leaf(of: values), prior: recordedProbability(bucket))
    }

    /// The fate of a page is known.
    mutating func learn(_ evidence: Evidence, bucket: UInt8, isRight: Bool) {
        load(evidence)
        let truth: Float = isRight ? 1 : 0
        let leaf = tree.leaf(of: values)
        let nextLeaf = next.leaf(of: values)
        let prior = recordedProbability(bucket)
        let off = tree.share(at: leaf, prior: prior) - truth
        let nextOff = next.share(at: nextLeaf, prior: prior) - truth
        error += off * off
        nextError += nextOff * nextOff
        rights[Int(bucket)] += truth
        totals[Int(bucket)] += 1
        if totals[Int(bucket)] >= Self.recordLimit {
            rights[Int(bucket)] /= 2
            totals[Int(bucket)] /= 2
        }
        tree.learn(values, label: isRight ? 1 : 0, at: leaf)
        next.learn(values, label: isRight ? 1 : 0, at: nextLeaf)
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

    private mutating func load(_ evidence: Evidence) {
        for index in 0..<Self.nominalCount {
            values[index] = Float(evidence.nominal >> UInt64(4 * index) & 0xF)
        }
        values[Self.nominalCount] = evidence.distance
        values[Self.nominalCount + 1] = evidence.recentRight
    }
}

extension HoeffdingTree {
    /// Examples that an estimate from elsewhere is worth in a leaf: much, for the record follows a
    /// change at once and a leaf's counts do not.
    private static let priorWeight: Float = 64

    /// Of two classes: the share of the second one at a leaf; the prior before the first split.
    fileprivate func share(at leaf: Int, prior: Float) -> Float {
        guard leaf > 0 else { return prior }
        let right = classCounts[leaf * 2 + 1]
        return (right + prior * Self.priorWeight)
            / (right + classCounts[leaf * 2] + Self.priorWeight)
    }
}
