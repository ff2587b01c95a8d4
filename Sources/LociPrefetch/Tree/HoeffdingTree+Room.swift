/// Arrays that grow to the limits of a tree and not beyond: left alone they would double.
extension HoeffdingTree {
    /// What the allocator may add to the five arrays of a tree: some bytes to each, and up to a
    /// page to those that it maps.
    static func roundingBytes(_ mostBytes: Int) -> Int {
        let (small, page, mapped) = (32, 4096, 128 << 10)
        return 5 * small + min(5, mostBytes / mapped) * page
    }

    mutating func makeRoomForNode() {
        let hasRoom =
            nodes.count < nodes.capacity && classCounts.count + classes <= classCounts.capacity
        if !hasRoom { reserve(nodes: min(nodeLimit, max(8, 2 * nodes.count))) }
    }

    mutating func makeRoomForBlock() {
        let hasRoom =
            owners.count < owners.capacity
            && nominalCounts.count + nominalStride <= nominalCounts.capacity
            && estimates.count + numericStride <= estimates.capacity
        if !hasRoom { reserve(blocks: min(blockLimit, max(8, 2 * owners.count))) }
    }

    mutating func reserve(nodes count: Int) {
        nodes.reserveCapacity(count)
        classCounts.reserveCapacity(count * classes)
    }

    mutating func reserve(blocks count: Int) {
        nominalCounts.reserveCapacity(count * nominalStride)
        estimates.reserveCapacity(count * numericStride)
        owners.reserveCapacity(count)
    }
}
