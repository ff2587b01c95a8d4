import LociKernels
import LociModel

/// One search for the nearest hard locations: the codes of groups, the nearest group first, then
/// the locations themselves for those that the codes cannot rule out.
///
/// What is compared is a cost: the squared distance, or the inner product negated. The codes give
/// an estimate of it, and two bounds hold for the group: the product of the rounded query is off by
/// at most `slack`, and each location is within `error` of its decoded place. So where locations
/// are held, the answer is exact, whatever the groups are and have been; ties go by key.
struct LocationScan {
    struct Candidate {
        var group: UInt32
        var slot: UInt32
        var layer: UInt32
        var row: UInt32
        /// The least that the cost can be; the estimate itself in a compact copy.
        var cost: Float
    }

    let query: [Float]
    let metric: Metric
    let most: Int
    let isExact: Bool
    /// The largest of the `most` smallest costs that are sure.
    private var ceiling: Float = .infinity
    private var smallest: TopK<Float>
    private(set) var candidates: [Candidate] = []
    private var quantized: QuantizedVector
    private var products: [Int32] = []
    private var estimates: [Float] = []
    private let zeros: [Float]
    private let queryLength: Float

    /// Groups that a compact copy looks at: so many and this part of all. Measured: 16 locations
    /// are found with recall 0.99 among 10,000 x 128 and 18,600 x 64 clustered ones.
    static let leastGroups = 24
    static let groupShare = 8

    init(query: [Float], metric: Metric, most: Int, isExact: Bool) {
        self.query = query
        self.metric = metric
        self.most = most
        self.isExact = isExact
        smallest = TopK(most) { $0 < $1 }
        quantized = QuantizedVector(dimension: query.count)
        zeros = metric == .dot ? [Float](repeating: 0, count: query.count) : []
        queryLength = Kernels.dot(query, query).squareRoot()
        if metric == .dot { quantized.quantize(query, minus: zeros) }
    }

    private struct Visit {
        var layer: Int
        var group: Int
        /// Squared distance to the centre, or the product with it.
        var score: Float
        /// The least cost of anything in the group.
        var least: Float
        /// By which groups are visited.
        var order: Float
    }

    mutating func run(_ layers: [LocationLayer], among isAllowed: ((Int) -> Bool)?) {
        var visits: [Visit] = []
        visits.reserveCapacity(layers.reduce(0) { $0 + $1.groups.count })
        for (number, layer) in layers.enumerated() { plan(number, layer, &visits) }
        visits.sort { ($0.order, $0.layer, $0.group) < ($1.order, $1.layer, $1.group) }
        let enough =
            isExact
            ? visits.count : Self.leastGroups + visits.count / Self.groupShare
        for (number, visit) in visits.enumerated() {
            if number >= enough && smallest.count == most { break }
            if visit.least > ceiling { continue }
            scan(layers[visit.layer].groups[visit.group], visit, isAllowed)
        }
        if isExact { candidates.removeAll { $0.cost > ceiling } }
    }

    private func plan(_ number: Int, _ layer: LocationLayer, _ visits: inout [Visit]) {
        var scores: [Float] = []
        scores.reserveCapacity(layer.groups.count)
        Kernels.score(
            metric == .dot ? .dot : .squaredL2, query: query, rows: layer.centres, into: &scores)
        for (group, score) in scores.enumerated() {
            let reach = layer.groups[group].radius + layer.groups[group].error
            let least: Float
            let order: Float
            if metric == .dot {
                least = -score - queryLength * reach * 1.0001 - 1e-5 * abs(score)
                order = least
            } else {
                let gap = max(0, score.squareRoot() * 0.9999 - reach)
                least = gap * gap * 0.9999
                order = score
            }
            visits.append(
                Visit(layer: number, group: group, score: score, least: least, order: order))
        }
    }

    private mutating func scan(
        _ group: LocationGroup, _ visit: Visit, _ isAllowed: ((Int) -> Bool)?
    ) {
        let count = group.count
        let slack: Float
        if metric == .dot {
            estimate(group, base: -visit.score, factor: -quantized.scale, withLengths: false)
            slack =
                queryLength * (group.error + 1e-5 * group.radius) + quantized.error * group.radius
                + 1e-5 * abs(visit.score)
        } else {
            quantized.quantize(query, minus: group.centre)
            estimate(group, base: visit.score, factor: -2 * quantized.scale, withLengths: true)
            let roundedLength =
                2 * group.radius * group.radius * Float(query.count).squareRoot() / 131_070
            slack =
                2 * quantized.error * group.radius * 1.0001 + roundedLength
                + 2e-5 * (visit.score + group.radius * group.radius)
        }
        let bounds = Bounds(isDot: metric == .dot, slack: slack, error: group.error)
        var cut = isExact ? bounds.estimate(ceiling) : ceiling
        for slot in 0..<count where !(estimates[slot] > cut) {
            let row = group.rows[slot]
            if let isAllowed, !isAllowed(Int(row)) { continue }
            let cost = estimates[slot]
            let sure = isExact ? bounds.most(cost) : cost
            candidates.append(
                Candidate(
                    group: UInt32(visit.group), slot: UInt32(slot), layer: UInt32(visit.layer),
                    row: row, cost: isExact ? bounds.least(cost) : cost))
            guard sure < ceiling else { continue }
            smallest.insert(sure)
            if let worst = smallest.worst {
                ceiling = worst
                cut = isExact ? bounds.estimate(ceiling) : ceiling
            }
        }
    }

    /// Base plus, for each slot, the product with the code and the squared length of it.
    private mutating func estimate(
        _ group: LocationGroup, base: Float, factor: Float, withLengths: Bool
    ) {
        let count = group.count
        Kernels.dot(
            query: quantized.codes, rows: group.codes, stride: group.dimension, count: count,
            into: &products)
        if estimates.count < count {
            estimates = [Float](repeating: 0, count: count)
        }
        let scales = group.scales
        let lengths = group.lengths
        precondition(
            scales.count == count && lengths.count == count && products.count == count
                && estimates.count >= count)
        let unit = withLengths ? group.lengthUnit : 0
        for slot in 0..<count {
            let scale = Float(bitPattern: UInt32(scales[slot]) << 16)
            let length = Float(lengths[slot]) * unit * scale
            estimates[slot] = base + factor * scale * Float(products[slot]) + length * length
        }
    }

    /// What an estimate says about the cost, and the other way round.
    private struct Bounds {
        let isDot: Bool
        let slack: Float
        let error: Float

        func most(_ estimate: Float) -> Float {
            if isDot { return estimate + slack }
            let far = max(0, estimate + slack).squareRoot() + error
            return far * far * 1.00001
        }

        func least(_ estimate: Float) -> Float {
            if isDot { return estimate - slack }
            let near = max(0, max(0, estimate - slack).squareRoot() - error)
            return near * near * 0.9999
        }

        /// The largest estimate of something that may cost no more than this.
        func estimate(_ cost: Float) -> Float {
            if isDot { return cost + slack }
            let far = cost.squareRoot() * 1.0001 + error
            return far * far * 1.00001 + slack
        }
    }
}
