/// Which leaves have room for their counts.
extension HoeffdingTree {
    /// Examples that a leaf's majority got wrong: what a split could gain.
    func promise(of leaf: Int) -> Float {
        seen(at: leaf) - classCounts[leaf * classes + majority(of: leaf)]
    }

    /// A new leaf with class counts to start from, and a block if it deserves one.
    mutating func appendLeaf(counts: [Float]) {
        let leaf = nodes.count
        makeRoomForNode()
        nodes.append(Node())
        classCounts.append(contentsOf: counts)
        nodes[leaf].seenAtLastCheck = seen(at: leaf)
        reactivate(leaf)
    }

    /// Gives a leaf a block: a free one, else that of the least promising leaf if this one promises
    /// more.
    mutating func reactivate(_ leaf: Int) {
        if let block = freeBlock() ?? takenBlock(for: leaf) {
            owners[block] = Int32(leaf)
            nodes[leaf].block = Int32(block)
            nodes[leaf].seenUncounted = seen(at: leaf)
            nodes[leaf].majorityRight = 0
            nodes[leaf].bayesRight = 0
        }
    }

    mutating func free(_ block: Int) {
        owners[block] = -1
        for place in 0..<nominalStride { nominalCounts[block * nominalStride + place] = 0 }
        for place in 0..<numericStride {
            estimates[block * numericStride + place] = NormalEstimate()
        }
    }

    private mutating func freeBlock() -> Int? {
        if let block = owners.firstIndex(of: -1) { return block }
        guard owners.count < blockLimit else { return nil }
        makeRoomForBlock()
        owners.append(-1)
        nominalCounts.append(contentsOf: repeatElement(0, count: nominalStride))
        estimates.append(contentsOf: repeatElement(NormalEstimate(), count: numericStride))
        return owners.count - 1
    }

    private mutating func takenBlock(for leaf: Int) -> Int? {
        var least = promise(of: leaf)
        var loser = -1
        for (block, owner) in owners.enumerated() where promise(of: Int(owner)) < least {
            least = promise(of: Int(owner))
            loser = block
        }
        guard loser >= 0 else { return nil }
        nodes[Int(owners[loser])].block = -1
        free(loser)
        return loser
    }
}
