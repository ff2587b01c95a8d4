/// Moves single hard locations from the fullest partition to the emptiest until no partition is
/// above its limit or nothing more can be gained, and then gives those that have none one.
struct LoadEvening {
    private(set) var homes: [Int]
    private(set) var loads: [Double]
    private let weights: [Double]
    private let limit: Double
    private var members: [[Int]]

    init(homes: [Int], weights: [Double], partitions: Int, limit: Double) {
        self.homes = homes
        self.weights = weights
        self.limit = limit
        loads = Array(repeating: 0, count: partitions)
        members = Array(repeating: [], count: partitions)
        for (location, home) in homes.enumerated() {
            loads[home] += weights[location]
            members[home].append(location)
        }
    }

    /// Each step lowers the sum of the squares of the loads, so this ends; it takes at most as many
    /// steps as there are locations.
    mutating func run() {
        for _ in homes.indices {
            let order = loads.indices
            let full = order.max { (loads[$0], $1) < (loads[$1], $0) }!
            let empty = order.min { (loads[$0], $0) < (loads[$1], $1) }!
            guard loads[full] > limit, step(from: full, to: empty) else { break }
        }
        for partition in members.indices where members[partition].isEmpty {
            let most = members.indices.max { (members[$0].count, $1) < (members[$1].count, $0) }!
            guard members[most].count > 1 else { break }
            let least = members[most].min { (weights[$0], $0) < (weights[$1], $1) }!
            move(least, from: most, to: partition)
        }
    }

    /// Moves the location, or exchanges the two, that brings the two loads nearest together.
    private mutating func step(from full: Int, to empty: Int) -> Bool {
        let wanted = (loads[full] - loads[empty]) / 2
        var best: (off: Double, given: Int, taken: Int?) = (wanted * (1 - 1e-9), -1, nil)
        for given in members[full] {
            let off = abs(weights[given] - wanted)
            if off < best.off { best = (off, given, nil) }
        }
        // Exchanges only where whole locations are too coarse.
        if members[full].count * members[empty].count <= 4096 {
            for given in members[full] {
                for taken in members[empty] {
                    let off = abs(weights[given] - weights[taken] - wanted)
                    if off < best.off { best = (off, given, taken) }
                }
            }
        }
        guard best.given >= 0 else { return false }
        move(best.given, from: full, to: empty)
        if let taken = best.taken { move(taken, from: empty, to: full) }
        return true
    }

    private mutating func move(_ location: Int, from: Int, to target: Int) {
        homes[location] = target
        members[from].removeAll { $0 == location }
        members[target].append(location)
        loads[from] -= weights[location]
        loads[target] += weights[location]
    }
}
