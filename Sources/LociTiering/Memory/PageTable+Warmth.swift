public import LociModel

extension PageTable {
    /// Follows which pages of dram are the warmest, for others to remember: takes those out of the
    /// lists that are not among them any more, and returns those that are in none of the lists, the
    /// warmest first. Pages that were fetched early and wait for their first use stay in the lists
    /// but do not come into them.
    ///
    /// - Parameters:
    ///   - most: How many pages count as the warmest. A multiple of it bounds the time.
    ///   - lists: Different pages.
    public mutating func followWarmth(
        most: Int, _ lists: inout [[PageAddress]]
    ) -> [PageAddress] {
        dram.followWarmth(most, &lists)
    }
}
