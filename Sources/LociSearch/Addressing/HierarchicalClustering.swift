import LociBase
import LociKernels

/// Balanced hierarchical k-means (SPANN, NeurIPS 2021, section 4.1, and the procedure of SPTAG's
/// balanced k-means tree): a set is cut into at most 32 by Lloyd's iterations on a sample, in which
/// a full centre counts as farther away, and each part is cut again. Cost: rows x dimension x 32
/// per level, and as many levels as the logarithm of the leaves to that base.
///
/// Invariants:
/// - Every row is in exactly one leaf, and no leaf is empty.
/// - Leaves follow one another in tree order, and siblings along a chain of nearest centres, so a
///   run of leaves is itself a compact region.
/// - The same rows and seed give the same leaves.
public struct HierarchicalClustering: Sendable {
    /// Children of a node at most.
    public static let branches = 32
    /// Rows that the iterations of a node look at.
    static let sampleRows = 1000
    static let starts = 3
    static let iterations = 40
    /// Iterations without a better cost after which a node is done.
    static let patience = 3
    /// Rows that are scored at a time.
    static let chunkRows = 4096

    public let dimension: Int
    let rows: [Float]
    var random: SeededRandom
    private var bisection: BalancedBisection
    /// Where the chain of leaves has come to.
    private var lastCentre: [Float]?
    private var leaves: [[Int]] = []

    /// - Parameter rows: Vectors one after the other, all finite.
    public init(rows: [Float], dimension: Int, seed: UInt64) {
        precondition(dimension > 0 && rows.count % dimension == 0)
        self.rows = rows
        self.dimension = dimension
        random = SeededRandom(seed: seed)
        bisection = BalancedBisection(rows: rows, dimension: dimension, seed: seed)
    }

    /// When to stop cutting.
    private enum Goal {
        case size(Int)
        case leaves(Int)

        func branches(of members: Int) -> Int {
            switch self {
            case .size(let size):
                members <= size
                    ? 1 : min(HierarchicalClustering.branches, members, max(2, members / size + 1))
            case .leaves(let wanted): min(HierarchicalClustering.branches, wanted, members)
            }
        }
    }

    /// Cuts all rows until no leaf has more than `size` rows.
    public mutating func split(leafSize size: Int) -> [[Int]] {
        precondition(size > 0)
        return split(.size(size))
    }

    /// Cuts all rows into so many leaves, in proportion to where the rows lie; into as many as
    /// there are rows when those are fewer.
    public mutating func split(into wanted: Int) -> [[Int]] {
        precondition(wanted > 0)
        return split(.leaves(wanted))
    }

    private mutating func split(_ goal: Goal) -> [[Int]] {
        leaves = []
        lastCentre = nil
        let all = Array(0..<(rows.count / dimension))
        if !all.isEmpty { split(all, goal) }
        defer { leaves = [] }
        return leaves
    }

    public func row(_ index: Int) -> [Float] {
        Array(rows[(index * dimension)..<((index + 1) * dimension)])
    }

    /// The mean of some rows; zeros for none.
    public func mean(of members: [Int]) -> [Float] {
        var sum = [Float](repeating: 0, count: dimension)
        for member in members { Kernels.add(row(member), to: &sum) }
        if !members.isEmpty { Kernels.scale(&sum, by: 1 / Float(members.count)) }
        return sum
    }

    /// The row of a leaf that is nearest to the leaf's mean: SPANN's head. The first of equals.
    public func head(of members: [Int]) -> Int {
        let nearest = Kernels.nearest(mean(of: members), among: gather(members[...]))
        return members[nearest?.index ?? 0]
    }

    // MARK: The tree

    private mutating func split(_ members: [Int], _ goal: Goal) {
        let branches = goal.branches(of: members.count)
        if branches <= 1 {
            lastCentre = mean(of: members)
            leaves.append(members)
            return
        }
        let parts = cut(members, into: branches)
        switch goal {
        case .size:
            for part in parts { split(part, goal) }
        case .leaves(let wanted):
            let shares = Apportionment.shares(of: wanted, sizes: parts.map(\.count))
            for (part, share) in zip(parts, shares) { split(part, .leaves(share)) }
        }
    }

    /// Non-empty parts, at least two, none with more than three quarters of the members, in the
    /// order of the chain.
    private mutating func cut(_ members: [Int], into branches: Int) -> [[Int]] {
        let centres = learnCentres(of: members, branches)
        var parts = [[Int]](repeating: [], count: branches)
        var start = 0
        while start < members.count {
            let chunk = members[start..<min(start + Self.chunkRows, members.count)]
            let assigned = NearestCentres.assign(gather(chunk), to: centres, dimension: dimension)
            for (member, centre) in zip(chunk, assigned.centres) { parts[centre].append(member) }
            start += chunk.count
        }
        // One part that keeps nearly everything, as with outliers or equal rows, would make the
        // tree deep: then the rows are cut in the middle.
        if 4 * (parts.map(\.count).max() ?? 0) > 3 * members.count {
            parts = bisection.halves(of: members)
            return chain(parts, centres: parts.flatMap { mean(of: $0) })
        }
        return chain(parts, centres: centres)
    }

    /// Parts from one to the nearest next, beginning where the last leaf ended.
    private func chain(_ parts: [[Int]], centres: [Float]) -> [[Int]] {
        var left = parts.indices.filter { !parts[$0].isEmpty }
        func distances(_ from: [Float]) -> [Float] {
            var distances: [Float] = []
            Kernels.score(.squaredL2, query: from, rows: centres, into: &distances)
            return distances
        }
        var from = distances(
            lastCentre ?? Array(centres[(left[0] * dimension)..<((left[0] + 1) * dimension)]))
        var ordered: [[Int]] = []
        while let next = left.min(by: { (from[$0], $0) < (from[$1], $1) }) {
            left.removeAll { $0 == next }
            ordered.append(parts[next])
            from = distances(Array(centres[(next * dimension)..<((next + 1) * dimension)]))
        }
        return ordered
    }

    private func gather(_ members: ArraySlice<Int>) -> [Float] {
        var block: [Float] = []
        block.reserveCapacity(members.count * dimension)
        for member in members {
            block.append(contentsOf: rows[(member * dimension)..<((member + 1) * dimension)])
        }
        return block
    }

    // MARK: k-means on a sample

    /// Centres of a node, one after the other.
    private mutating func learnCentres(of members: [Int], _ branches: Int) -> [Float] {
        var sample = members
        if sample.count > Self.sampleRows {
            for index in 0..<Self.sampleRows {
                sample.swapAt(index, index + random.below(sample.count - index))
            }
            sample.removeLast(sample.count - Self.sampleRows)
        }
        let block = gather(sample[...])
        var best: (centres: [Float], cost: Float) = ([], .infinity)
        for _ in 0..<Self.starts {
            var order = Array(0..<sample.count)
            for index in 0..<branches {
                order.swapAt(index, index + random.below(order.count - index))
            }
            let centres = gather(order.prefix(branches).map { sample[$0] }[...])
            let cost = NearestCentres.assign(block, to: centres, dimension: dimension)
                .distances.reduce(0, +)
            if best.centres.isEmpty || cost < best.cost { best = (centres, cost) }
        }
        return iterate(block, from: best.centres, branches)
    }

    /// Lloyd's iterations with the penalty: a centre is farther by lambda times the rows that it
    /// had in the iteration before.
    private func iterate(_ block: [Float], from start: [Float], _ branches: Int) -> [Float] {
        let count = block.count / dimension
        var centres = start
        var best: (centres: [Float], cost: Float) = (start, .infinity)
        var penalties = [Float](repeating: 0, count: branches)
        var idle = 0
        for _ in 0..<Self.iterations {
            let assigned = NearestCentres.assign(
                block, to: centres, dimension: dimension, penalties: penalties)
            let cost = assigned.distances.reduce(0, +)
            if cost < best.cost {
                best = (centres, cost)
                idle = 0
            } else {
                idle += 1
                if idle == Self.patience { break }
            }
            let sizes = assigned.sizes(branches)
            let largest = sizes.indices.max { (sizes[$0], $1) < (sizes[$1], $0) }!
            let spread = assigned.spread(of: largest)
            let lambda = (spread.most - spread.mean) / Float(count)
            penalties = sizes.map { lambda * Float($0) }
            centres = means(block, assigned, sizes, centres)
            for empty in sizes.indices where sizes[empty] == 0 {
                centres.replaceSubrange(
                    (empty * dimension)..<((empty + 1) * dimension),
                    with: farthest(block, assigned, from: largest, but: empty))
            }
        }
        return best.centres
    }

    private func means(
        _ block: [Float], _ assigned: NearestCentres, _ sizes: [Int], _ old: [Float]
    ) -> [Float] {
        var sums = [[Float]](
            repeating: [Float](repeating: 0, count: dimension), count: sizes.count)
        for (row, centre) in assigned.centres.enumerated() {
            Kernels.add(
                Array(block[(row * dimension)..<((row + 1) * dimension)]), to: &sums[centre])
        }
        var centres: [Float] = []
        centres.reserveCapacity(old.count)
        for (centre, size) in sizes.enumerated() {
            if size > 0 {
                Kernels.scale(&sums[centre], by: 1 / Float(size))
                centres += sums[centre]
            } else {
                centres += old[(centre * dimension)..<((centre + 1) * dimension)]
            }
        }
        return centres
    }

    /// An empty centre starts again at the row of the largest part that is farthest from its
    /// centre; several take the farthest, the next farthest and so on.
    private func farthest(
        _ block: [Float], _ assigned: NearestCentres, from largest: Int, but rank: Int
    ) -> ArraySlice<Float> {
        let members = assigned.centres.indices.filter { assigned.centres[$0] == largest }
            .sorted { (assigned.distances[$0], $1) > (assigned.distances[$1], $0) }
        let row = members[rank % members.count]
        return block[(row * dimension)..<((row + 1) * dimension)]
    }
}
