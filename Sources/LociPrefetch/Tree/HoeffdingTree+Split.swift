/// Comparing splits of a leaf, and making one.
extension HoeffdingTree {
    private struct Candidate {
        let gain: Double
        let kind: Node.Kind
        /// Class counts of each branch.
        let branches: [[Double]]
    }

    mutating func considerSplit(of leaf: Int) {
        let counts = (0..<classes).map { Double(classCounts[leaf * classes + $0]) }
        guard counts.count(where: { $0 > 0 }) > 1 else { return }
        let candidates = attributes.indices.compactMap { bestSplit(of: leaf, by: $0) }
        guard let best = candidates.max(by: { $0.gain < $1.gain }), best.gain > 0 else { return }
        // Not to split is among the choices, with gain 0.
        var second = 0.0
        var didSeeBest = false
        for candidate in candidates {
            if !didSeeBest, candidate.gain == best.gain {
                didSeeBest = true
            } else {
                second = max(second, candidate.gain)
            }
        }
        let epsilon = HoeffdingBound.epsilon(
            range: HoeffdingBound.range(classes: classes), delta: options.delta,
            count: Double(seen(at: leaf) - nodes[leaf].seenUncounted))
        if best.gain - second > epsilon || epsilon < options.tie { split(leaf, best) }
    }

    private func bestSplit(of leaf: Int, by index: Int) -> Candidate? {
        switch attributes[index] {
        case .nominal(let values): nominalSplit(of: leaf, by: index, values)
        case .numeric: numericSplit(of: leaf, by: index)
        }
    }

    private func nominalSplit(of leaf: Int, by index: Int, _ values: Int) -> Candidate? {
        let start = Int(nodes[leaf].block) * nominalStride + offsets[index]
        let branches = (0..<values).map { value in
            (0..<classes).map { Double(nominalCounts[start + value * classes + $0]) }
        }
        return candidate(.nominal(attribute: Int32(index)), branches)
    }

    /// The best of points at equal distances between the extremes.
    private func numericSplit(of leaf: Int, by index: Int) -> Candidate? {
        let start = Int(nodes[leaf].block) * numericStride + offsets[index]
        let estimates = self.estimates[start..<(start + classes)]
        let least = estimates.reduce(Float.infinity) { min($0, $1.least) }
        let most = estimates.reduce(-Float.infinity) { max($0, $1.most) }
        guard least < most else { return nil }
        var best: Candidate?
        for number in 1...options.splitPoints {
            let share = Float(number) / Float(options.splitPoints + 1)
            let point = least + (most - least) * share
            let below = estimates.map { $0.countBelow(point) }
            let above = zip(estimates, below).map { max(0, Double($0.count) - $1) }
            let candidate = candidate(
                .numeric(attribute: Int32(index), point: point), [below, above])
            if let candidate, candidate.gain > best?.gain ?? -1 { best = candidate }
        }
        return best
    }

    /// Nil if all examples would go to one branch.
    private func candidate(_ kind: Node.Kind, _ branches: [[Double]]) -> Candidate? {
        let sizes = branches.map { $0.reduce(0, +) }
        guard sizes.count(where: { $0 > 0 }) > 1 else { return nil }
        let total = sizes.reduce(0, +)
        let all = (0..<classes).map { label in branches.reduce(0) { $0 + $1[label] } }
        let after = zip(branches, sizes).reduce(0) {
            $0 + HoeffdingBound.entropy($1.0) * $1.1 / total
        }
        return Candidate(
            gain: HoeffdingBound.entropy(all) - after, kind: kind, branches: branches)
    }

    private mutating func split(_ leaf: Int, _ candidate: Candidate) {
        guard nodes.count + candidate.branches.count <= nodeLimit else { return }
        free(Int(nodes[leaf].block))
        nodes[leaf].block = -1
        nodes[leaf].kind = candidate.kind
        nodes[leaf].firstChild = Int32(nodes.count)
        for counts in candidate.branches { appendLeaf(counts: counts.map { Float($0) }) }
    }
}
