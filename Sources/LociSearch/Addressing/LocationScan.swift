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
        var layer: UInt32
        var group: UInt32
        var slot: UInt32
        var row: UInt32
        /// The least that the cost can be; the estimate itself in a compact copy. The cost itself
        /// in what `ranked` returns.
        var cost: Float
    }

    let query: [Float]
    let metric: Metric
    let isExact: Bool
    let wanted: Wanted
    private var ceiling: CostCeiling
    private var candidates: [Candidate] = []
    /// Locations looked at, of those allowed.
    private var seen = 0
    private var quantized: QuantizedVector
    private var slots: [UInt32] = []
    private var estimates: [Float] = []
    private let queryLength: Float

    /// Groups that a compact copy looks at: so many and this part of all. Who keeps locations
    /// exactly looks at all, even if their codes have the last word: with an eighth of the groups
    /// the neighbours of a million clustered points were found to .983 at most, however many
    /// locations were asked for, with half of them to .995, with all to .999.
    static let leastGroups = 24
    static let groupShare = 2

    /// The `least` nearest, and those of the `most` nearest that cost at most `factor` times as
    /// much as the nearest.
    struct Wanted {
        var most: Int
        var least: Int
        /// Infinity for no bound, as for inner products.
        var factor: Float

        var ceiling: CostCeiling { CostCeiling(most: most, least: least, factor: factor) }
    }

    init(query: [Float], metric: Metric, wanted: Wanted, isExact: Bool) {
        self.query = query
        self.metric = metric
        self.wanted = wanted
        self.isExact = isExact
        ceiling = wanted.ceiling
        quantized = QuantizedVector(dimension: query.count)
        queryLength = metric == .dot ? Kernels.dot(query, query).squareRoot() : 0
        if metric == .dot {
            let origin = [Float](repeating: 0, count: query.count)
            quantized.quantize(query, minus: 0, of: origin)
        }
    }

    /// The nearest locations of some layers, those that are wanted and maybe more, in the order of
    /// their costs, equal ones in that of their keys.
    /// - Parameter isAllowed: Only rows for which this holds.
    mutating func ranked(
        _ layers: [LocationLayer], _ chosen: Range<Int>, keys: [LocationKey],
        among isAllowed: ((Int) -> Bool)?
    ) -> [Candidate] {
        var visits: [Visit] = []
        for number in chosen { plan(number, layers[number], &visits) }
        visits.sort { $0.order < $1.order }
        let enough =
            layers[chosen].allSatisfy(\.keepsExact)
            ? visits.count : Self.leastGroups + visits.count / Self.groupShare
        for (number, visit) in visits.enumerated() {
            if number >= enough && seen >= wanted.most { break }
            if visit.least > ceiling.value { continue }
            scan(layers, visit, isAllowed)
        }
        if isExact {
            compareExactly(layers)
        } else {
            candidates.removeAll { $0.cost > ceiling.value }
        }
        // Ties go by key, not by row: rows depend on history, and replay must decide alike.
        candidates.sort { left, right in
            left.cost == right.cost
                ? keys[Int(left.row)] < keys[Int(right.row)] : left.cost < right.cost
        }
        if candidates.count > wanted.most { candidates.removeSubrange(wanted.most...) }
        return candidates
    }

    private struct Visit {
        var layer: Int32
        var group: Int32
        /// Squared distance to the centre, or the product with it.
        var score: Float
        /// The least cost of anything in the group.
        var least: Float
        /// By which groups are visited: their scores, or what is least; equal ones in turn.
        var order: UInt64
    }

    private func plan(_ number: Int, _ layer: LocationLayer, _ visits: inout [Visit]) {
        let groups = layer.groups
        var scores: [Float] = []
        scores.reserveCapacity(groups.count)
        Kernels.score(
            metric == .dot ? .dot : .squaredL2, query: query, rows: layer.centres, into: &scores)
        visits.reserveCapacity(visits.count + groups.count)
        for (group, score) in scores.enumerated() {
            let reach = groups[group].radius + groups[group].error
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
                Visit(
                    layer: Int32(number), group: Int32(group), score: score, least: least,
                    order: Self.rank(order) << 32 | UInt64(visits.count)))
        }
    }

    /// Ascends with a number; what is no number comes first or last.
    private static func rank(_ number: Float) -> UInt64 {
        let bits = number.bitPattern
        return UInt64(bits >> 31 == 0 ? bits | 0x8000_0000 : ~bits)
    }

    private mutating func scan(
        _ layers: [LocationLayer], _ visit: Visit, _ isAllowed: ((Int) -> Bool)?
    ) {
        let (layer, group) = (Int(visit.layer), Int(visit.group))
        // Through a span nothing is retained but what is used.
        let held = layers[layer].groups
        let groups = held.span
        let (radius, error) = (groups[group].radius, groups[group].error)
        let factors = groups[group].factors
        let count = factors.count
        if metric != .dot {
            quantized.quantize(query, minus: group, of: layers[layer].centres)
        }
        let bounds = Bounds(isDot: metric == .dot, slack: slack(visit, radius, error), error: error)
        if slots.count < count {
            slots = [UInt32](repeating: 0, count: count)
            estimates = [Float](repeating: 0, count: count)
        }
        let isDot = metric == .dot
        let terms = DifferenceScanTerms(
            base: isDot ? -visit.score : visit.score,
            factor: (isDot ? -1 : -2) * quantized.scale,
            lengthUnit: isDot ? 0 : LocationGroup.lengthUnit(query.count),
            cut: isExact ? bounds.estimate(ceiling.value) : ceiling.value)
        let found = Kernels.scanDifferences(
            groups[group].codes, factors: factors,
            query: quantized.codes, terms: terms, slots: &slots, estimates: &estimates)
        if isAllowed == nil { seen += count }
        if found == 0 { return }
        let rows = groups[group].rows
        for index in 0..<found {
            let row = rows[Int(slots[index])]
            let estimate = estimates[index]
            if let isAllowed {
                guard isAllowed(Int(row)) else { continue }
                seen += 1
            }
            let least = isExact ? bounds.least(estimate) : estimate
            if least > ceiling.value { continue }
            candidates.append(
                Candidate(
                    layer: UInt32(layer), group: UInt32(group), slot: slots[index], row: row,
                    cost: least))
            ceiling.insert(isExact ? bounds.most(estimate) : estimate)
        }
    }

    /// By how much an estimate can be off because the query is rounded, and lengths are.
    private func slack(_ visit: Visit, _ radius: Float, _ error: Float) -> Float {
        if metric == .dot {
            return queryLength * (error + 1e-5 * radius) + quantized.error * radius
                + 1e-5 * abs(visit.score)
        }
        let roundedLength = 2 * radius * radius * Float(query.count).squareRoot() / 131_070
        return 2 * quantized.error * radius * 1.0001 + roundedLength
            + 2e-5 * (visit.score + radius * radius)
    }

    /// Keeps the candidates that no other rules out, now with their costs. Those that may cost the
    /// least come first, and the first that must cost too much ends it.
    private mutating func compareExactly(_ layers: [LocationLayer]) {
        var order: [UInt64] = []
        order.reserveCapacity(candidates.count)
        for (index, candidate) in candidates.enumerated() where !(candidate.cost > ceiling.value) {
            order.append(Self.rank(candidate.cost) << 32 | UInt64(index))
        }
        order.sort()
        var compared: [Candidate] = []
        var ceiling = wanted.ceiling
        for entry in order {
            var candidate = candidates[Int(truncatingIfNeeded: entry & 0xFFFF_FFFF)]
            if candidate.cost > ceiling.value { break }
            let score = Kernels.score(
                metric == .dot ? .dot : .squaredL2, row: 0, of: query, with: Int(candidate.slot),
                of: layers[Int(candidate.layer)].groups[Int(candidate.group)].exact,
                dimension: query.count)
            candidate.cost = metric == .dot ? -score : score
            if candidate.cost > ceiling.value { continue }
            ceiling.insert(candidate.cost)
            compared.append(candidate)
        }
        candidates = compared.filter { !($0.cost > ceiling.value) }
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
