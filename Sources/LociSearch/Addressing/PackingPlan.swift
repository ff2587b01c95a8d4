/// Where groups of hard locations go, as it is worked out.
struct PackingPlan {
    let groups: LocationGroups
    let limit: Double
    /// The partition of each group; -1 as long as it has none.
    private(set) var home: [Int]
    private(set) var loads: [Double]

    init(groups: LocationGroups, partitions: Int, limit: Double) {
        self.groups = groups
        self.limit = limit
        home = Array(repeating: -1, count: groups.members.count)
        loads = Array(repeating: 0, count: partitions)
    }

    /// What a group's neighbours on each partition are worth.
    private func pull(_ group: Int) -> [Int: Double] {
        var pull: [Int: Double] = [:]
        for other in groups.near[group] where home[other.group] >= 0 {
            pull[home[other.group], default: 0] += other.worth
        }
        return pull
    }

    /// Heaviest first: to the partition with room that holds most of its neighbours, else to the
    /// emptiest.
    mutating func placeHeaviestFirst() {
        let order = home.indices.sorted { (groups.loads[$0], $1) > (groups.loads[$1], $0) }
        for group in order {
            let load = groups.loads[group]
            let fitting = pull(group).filter { loads[$0.key] + load <= limit }
            let best =
                fitting.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
                ?? loads.indices.min { (loads[$0], $0) < (loads[$1], $1) }!
            home[group] = best
            loads[best] += load
        }
    }

    /// One pass over all groups: each goes where more of its neighbours are, alone if there is
    /// room, else in exchange for a group that loses less by it. True if any went.
    mutating func bringNeighboursTogether() -> Bool {
        var isChanged = false
        for group in home.indices {
            let pulls = pull(group)
            let here = home[group]
            let ranked = pulls.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
            for (partition, worth) in ranked where partition != here {
                let gain = worth - (pulls[here] ?? 0)
                if gain <= 1e-9 { break }
                if move(group, to: partition) || exchange(group, with: partition, gain) {
                    isChanged = true
                    break
                }
            }
        }
        return isChanged
    }

    private mutating func move(_ group: Int, to partition: Int) -> Bool {
        let load = groups.loads[group]
        guard loads[partition] + load <= limit else { return false }
        loads[home[group]] -= load
        loads[partition] += load
        home[group] = partition
        return true
    }

    private mutating func exchange(_ group: Int, with partition: Int, _ gain: Double) -> Bool {
        let here = home[group]
        var best: (group: Int, loss: Double)?
        for other in home.indices where home[other] == partition {
            let difference = groups.loads[group] - groups.loads[other]
            let isEven =
                loads[partition] + difference <= limit && loads[here] - difference <= limit
            guard isEven else { continue }
            let pulls = pull(other)
            // What ties the two together counts for neither after the exchange.
            let between = groups.near[group].first { $0.group == other }?.worth ?? 0
            let loss = (pulls[partition] ?? 0) - (pulls[here] ?? 0) + 2 * between
            if loss < best?.loss ?? .infinity { best = (other, loss) }
        }
        guard let best, gain - best.loss > 1e-9 else { return false }
        let difference = groups.loads[group] - groups.loads[best.group]
        home[group] = partition
        home[best.group] = here
        loads[partition] += difference
        loads[here] -= difference
        return true
    }
}
