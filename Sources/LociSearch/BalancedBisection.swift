import LociBase
import LociKernels

/// Balanced clustering by recursive bisection: each set is cut in two along the line between its
/// two means, at the place that gives each side its share. Neighbouring parts stay neighbours in
/// the result, so a run of them is itself a compact region: that is how hard locations are packed
/// onto partitions.
public struct BalancedBisection: Sendable {
    public let dimension: Int
    private let rows: [Float]
    private var random: SeededRandom

    /// - Parameter rows: Vectors one after the other.
    public init(rows: [Float], dimension: Int, seed: UInt64) {
        precondition(dimension > 0 && rows.count % dimension == 0)
        self.rows = rows
        self.dimension = dimension
        random = SeededRandom(seed: seed)
    }

    public func row(_ index: Int) -> [Float] {
        Array(rows[(index * dimension)..<((index + 1) * dimension)])
    }

    /// Cuts all rows into `parts` sets whose sizes differ by at most a few. Sets may be empty where
    /// there are fewer rows than parts.
    public mutating func split(into parts: Int) -> [[Int]] {
        split(Array(0..<(rows.count / dimension)), into: parts)
    }

    /// Two parts of equal size, cut along the line between their means.
    mutating func halves(of members: [Int]) -> [[Int]] { split(members, into: 2) }

    private mutating func split(_ members: [Int], into parts: Int) -> [[Int]] {
        if parts <= 1 { return [members] }
        let left = parts / 2
        let ordered = alongMeans(members)
        let cut = members.count * left / parts
        return split(Array(ordered[..<cut]), into: left)
            + split(Array(ordered[cut...]), into: parts - left)
    }

    /// The mean of some rows; zeros for none.
    public func mean(of members: [Int]) -> [Float] {
        var sum = [Float](repeating: 0, count: dimension)
        for member in members { Kernels.add(row(member), to: &sum) }
        let scale = members.isEmpty ? 0 : 1 / Float(members.count)
        for element in 0..<dimension { sum[element] *= scale }
        return sum
    }

    /// Members ordered along the line from one of their two means to the other.
    private mutating func alongMeans(_ members: [Int]) -> [Int] {
        guard members.count > 2 else { return members }
        let (first, second) = twoMeans(of: members)
        var direction = first
        for element in 0..<dimension { direction[element] -= second[element] }
        var keyed: [(member: Int, position: Float)] = []
        keyed.reserveCapacity(members.count)
        for member in members {
            keyed.append((member, Kernels.dot(row(member), direction)))
        }
        keyed.sort { ($0.position, $1.member) > ($1.position, $0.member) }
        return keyed.map(\.member)
    }

    /// Lloyd's iterations for k = 2, on at most 1,024 of the members.
    private mutating func twoMeans(of members: [Int]) -> ([Float], [Float]) {
        var sample = members
        if sample.count > 1024 {
            sample.shuffle(using: &random)
            sample.removeLast(sample.count - 1024)
        }
        var first = row(sample[random.below(sample.count)])
        var second = row(farthest(from: first, in: sample))
        for _ in 0..<8 {
            var near: [Int] = []
            var far: [Int] = []
            for member in sample {
                let vector = row(member)
                let toFirst = squaredDistance(vector, first)
                let toSecond = squaredDistance(vector, second)
                if toFirst <= toSecond { near.append(member) } else { far.append(member) }
            }
            if near.isEmpty || far.isEmpty { break }
            first = mean(of: near)
            second = mean(of: far)
        }
        return (first, second)
    }

    private func farthest(from vector: [Float], in members: [Int]) -> Int {
        var best = (member: members[0], distance: Float(-1))
        for member in members {
            let distance = squaredDistance(row(member), vector)
            if distance > best.distance { best = (member, distance) }
        }
        return best.member
    }

    private func squaredDistance(_ left: [Float], _ right: [Float]) -> Float {
        Kernels.nearest(left, among: right)?.squaredDistance ?? .infinity
    }
}
