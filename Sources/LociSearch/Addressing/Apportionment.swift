/// Shares of a whole in proportion to sizes, by largest remainder.
enum Apportionment {
    /// At least one for each, at most its size, `whole` in total where the sizes allow it.
    /// - Precondition: Every size is positive, and there are at most `whole` of them.
    static func shares(of whole: Int, sizes: [Int]) -> [Int] {
        precondition(sizes.count <= whole && sizes.allSatisfy { $0 > 0 })
        let total = sizes.reduce(0, +)
        var shares = sizes.map { min($0, max(1, whole * $0 / total)) }
        var given = shares.reduce(0, +)
        // What is furthest from its due gives, or takes, first.
        func excess(_ index: Int) -> Double {
            Double(shares[index]) - Double(whole) * Double(sizes[index]) / Double(total)
        }
        while given > whole {
            let most = shares.indices.filter { shares[$0] > 1 }
                .max { (excess($0), $1) < (excess($1), $0) }!
            shares[most] -= 1
            given -= 1
        }
        while given < min(whole, total) {
            let least = shares.indices.filter { shares[$0] < sizes[$0] }
                .min { (excess($0), $0) < (excess($1), $1) }!
            shares[least] += 1
            given += 1
        }
        return shares
    }
}
