/// A decision tree that learns from a stream, each example once (VFDT; Domingos and Hulten, "Mining
/// High-Speed Data Streams", KDD 2000; numeric attributes and adaptive leaves as in MOA, Bifet et
/// al. 2010).
///
/// - A leaf counts, for each class, the values of nominal attributes, and keeps normal estimates
///   of numeric ones. Every `grace` examples it compares the information gains of splits. The best
///   one is made if its gain is above 0 and ahead of the second's by more than Hoeffding's bound,
///   or if the bound has fallen below `tie`. Not to split is one of the choices, with gain 0.
/// - Nominal attributes split into a branch for each value, numeric ones at one of `splitPoints`
///   points in two.
/// - Memory is bounded by `mostBytes`, at least a leaf; while a part of it grows, the old one is
///   there beside the new one. When there is no room for another leaf's counts, those of
///   the least promising leaf go (promise: examples that its majority got wrong); such a leaf goes
///   on predicting its majority, counts classes only, and gets counts again when it promises more
///   than one that has them. When there is no room for nodes, nothing splits any more.
/// - Drift: nothing is done here; what was learned stays, only majorities shift. Who needs it
///   grows a second tree and changes over, as `PrefetchArbiter` does.
/// - Greedy gain is blind to classes that depend on two attributes at once and on neither alone
///   (XOR): such a split comes only by a tie.
///
/// Learning takes time for the depth and the attributes; a comparison once in `grace` examples
/// that of classes x values (nominal) and classes x points (numeric). A small tree (64 KiB) has its
/// memory from the start; then only comparisons allocate.
public struct HoeffdingTree: Sendable {
    public enum Attribute: Equatable, Sendable {
        /// Values 0, 1, ... below a number of them, at least 2.
        case nominal(values: Int)
        case numeric
    }

    /// How leaves predict.
    public enum LeafPrediction: Sendable {
        case majority, naiveBayes
        /// Of these two the one that was right more often at the leaf.
        case adaptive
    }

    public struct Options: Sendable {
        public var grace = 200
        public var delta = 1e-7
        public var tie = 0.05
        public var splitPoints = 10
        public var prediction = LeafPrediction.adaptive
        public var mostBytes = 4 << 20

        public init() {}
    }

    struct Node: Sendable {
        enum Kind: Sendable {
            case leaf
            case nominal(attribute: Int32)
            /// Values at or below the point go to the first child.
            case numeric(attribute: Int32, point: Float)
        }
        var kind = Kind.leaf
        /// Of an inner node: its first child; the others follow it.
        var firstChild: Int32 = -1
        /// Of a leaf: where its counts are, or -1.
        var block: Int32 = -1
        var seenAtLastCheck: Float = 0
        /// Of an active leaf: examples that came before it had counts.
        var seenUncounted: Float = 0
        var majorityRight: Float = 0
        var bayesRight: Float = 0
    }

    /// A tree of at most as many bytes has all of its memory from the start.
    private static let reservedBytes = 64 << 10
    /// Most nodes that a tree may have, whatever its memory.
    static let mostNodes = 1 << 20

    public let attributes: [Attribute]
    public let classes: Int
    public let options: Options
    var nodes: [Node] = []
    /// Class counts of each node, one after the other.
    var classCounts: [Float] = []
    /// Counts of nominal attributes of each block: attribute, value, class.
    var nominalCounts: [Float] = []
    /// Estimates of numeric attributes of each block: attribute, class.
    var estimates: [NormalEstimate] = []
    /// The leaf that owns a block, or -1.
    var owners: [Int32] = []
    let blockLimit: Int
    let nodeLimit: Int
    /// Where an attribute's counts or estimates begin in a block.
    let offsets: [Int]
    let nominalStride: Int
    let numericStride: Int
    /// For one example's class probabilities.
    private var scratch: [Double]

    /// - Parameter classes: at least 2.
    public init(attributes: [Attribute], classes: Int, options: Options = Options()) {
        precondition(classes >= 2 && !attributes.isEmpty && options.grace > 0)
        self.attributes = attributes
        self.classes = classes
        self.options = options
        var offsets: [Int] = []
        var nominal = 0
        var numeric = 0
        for attribute in attributes {
            switch attribute {
            case .nominal(let values):
                precondition(values >= 2, "a nominal attribute has two values or more")
                offsets.append(nominal)
                nominal += values * classes
            case .numeric:
                offsets.append(numeric)
                numeric += classes
            }
        }
        self.offsets = offsets
        nominalStride = nominal
        numericStride = numeric
        scratch = Array(repeating: 0, count: classes)
        // A third of the memory for nodes, of which most are few; the rest for counts.
        let room = max(0, options.mostBytes - Self.roundingBytes(options.mostBytes))
        let nodeBytes = MemoryLayout<Node>.stride + classes * MemoryLayout<Float>.stride
        let blockBytes =
            nominal * MemoryLayout<Float>.stride + numeric * MemoryLayout<NormalEstimate>.stride
            + MemoryLayout<Int32>.stride
        nodeLimit = min(max(1, room / 3 / nodeBytes), Self.mostNodes)
        blockLimit = max(1, (room - nodeLimit * nodeBytes) / blockBytes)
        if options.mostBytes <= Self.reservedBytes {
            reserve(nodes: nodeLimit)
            reserve(blocks: blockLimit)
        }
        appendLeaf(counts: Array(repeating: 0, count: classes))
    }

    /// All leaves' counts gone, as when it was made.
    public mutating func reset() {
        nodes.removeAll(keepingCapacity: true)
        classCounts.removeAll(keepingCapacity: true)
        nominalCounts.removeAll(keepingCapacity: true)
        estimates.removeAll(keepingCapacity: true)
        owners.removeAll(keepingCapacity: true)
        appendLeaf(counts: Array(repeating: 0, count: classes))
    }

    public var memoryBytes: Int {
        nodes.capacity * MemoryLayout<Node>.stride
            + (classCounts.capacity + nominalCounts.capacity) * MemoryLayout<Float>.stride
            + estimates.capacity * MemoryLayout<NormalEstimate>.stride
            + owners.capacity * MemoryLayout<Int32>.stride
    }

    public var leafCount: Int {
        nodes.reduce(0) { if case .leaf = $1.kind { $0 + 1 } else { $0 } }
    }

    /// Leaves that count attributes; the others are deactivated.
    public var activeLeafCount: Int { owners.count { $0 >= 0 } }

    /// One value for each attribute; nominal ones are whole numbers.
    public mutating func learn(_ values: [Float], label: Int) {
        precondition(values.count == attributes.count && label >= 0 && label < classes)
        learn(values, label: label, at: leaf(of: values))
    }

    /// The same when it is known where the values lead to.
    mutating func learn(_ values: [Float], label: Int, at leaf: Int) {
        score(leaf, values, label)
        classCounts[leaf * classes + label] += 1
        let block = Int(nodes[leaf].block)
        if block >= 0 { count(values, label, in: block) }
        let seen = seen(at: leaf)
        guard seen - nodes[leaf].seenAtLastCheck >= Float(options.grace) else { return }
        nodes[leaf].seenAtLastCheck = seen
        if block >= 0 { considerSplit(of: leaf) } else { reactivate(leaf) }
    }

    public mutating func predict(_ values: [Float]) -> Int {
        let leaf = leaf(of: values)
        return predictsByBayes(leaf) ? bayes(leaf, values) : majority(of: leaf)
    }

    /// How many examples of each class reached the leaf that the values lead to.
    public func count(of label: Int, at values: [Float]) -> Float {
        classCounts[leaf(of: values) * classes + label]
    }

    /// The node that the values lead to.
    func leaf(of values: [Float]) -> Int {
        var index = 0
        while true {
            switch nodes[index].kind {
            case .leaf:
                return index
            case .nominal(let attribute):
                index = Int(nodes[index].firstChild) + Int(values[Int(attribute)])
            case .numeric(let attribute, let point):
                let side = values[Int(attribute)] <= point ? 0 : 1
                index = Int(nodes[index].firstChild) + side
            }
        }
    }

    func seen(at node: Int) -> Float {
        var sum: Float = 0
        for label in 0..<classes { sum += classCounts[node * classes + label] }
        return sum
    }

    func majority(of node: Int) -> Int {
        var best = 0
        for label in 1..<classes
        where classCounts[node * classes + label] > classCounts[node * classes + best] {
            best = label
        }
        return best
    }

    // MARK: - Leaves

    private func predictsByBayes(_ leaf: Int) -> Bool {
        guard nodes[leaf].block >= 0 else { return false }
        switch options.prediction {
        case .majority: return false
        case .naiveBayes: return true
        case .adaptive: return nodes[leaf].bayesRight > nodes[leaf].majorityRight
        }
    }

    /// Which of the two ways to predict is right at a leaf.
    private mutating func score(_ leaf: Int, _ values: [Float], _ label: Int) {
        guard options.prediction == .adaptive, nodes[leaf].block >= 0 else { return }
        if majority(of: leaf) == label { nodes[leaf].majorityRight += 1 }
        if bayes(leaf, values) == label { nodes[leaf].bayesRight += 1 }
    }

    private mutating func count(_ values: [Float], _ label: Int, in block: Int) {
        let nominal = block * nominalStride
        let numeric = block * numericStride
        for index in attributes.indices {
            switch attributes[index] {
            case .nominal:
                let place = nominal + offsets[index] + Int(values[index]) * classes + label
                nominalCounts[place] += 1
            case .numeric:
                estimates[numeric + offsets[index] + label].add(values[index])
            }
        }
    }

    /// The class of highest probability if attributes are independent, with Laplace's correction.
    private mutating func bayes(_ leaf: Int, _ values: [Float]) -> Int {
        let block = Int(nodes[leaf].block)
        for label in 0..<classes {
            scratch[label] = Double(classCounts[leaf * classes + label])
        }
        for index in attributes.indices {
            for label in 0..<classes where scratch[label] > 0 {
                scratch[label] *= likelihood(block, index, values[index], label)
            }
        }
        var best = majority(of: leaf)
        for label in 0..<classes where scratch[label] > scratch[best] { best = label }
        return best
    }

    /// Of a value in a class, by what the block has counted: class counts that the leaf got from
    /// its parent, or from before it had a block, say nothing of values.
    private func likelihood(
        _ block: Int, _ index: Int, _ value: Float, _ label: Int
    ) -> Double {
        switch attributes[index] {
        case .nominal(let valueCount):
            let start = block * nominalStride + offsets[index] + label
            var total: Float = 0
            for value in 0..<valueCount { total += nominalCounts[start + value * classes] }
            let count = nominalCounts[start + Int(value) * classes]
            return (Double(count) + 1) / (Double(total) + Double(valueCount))
        case .numeric:
            return estimates[block * numericStride + offsets[index] + label].density(value)
        }
    }
}

extension HoeffdingTree.LeafPrediction: Equatable {}
