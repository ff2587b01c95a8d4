import LociSearch

/// Queries of a trial: their addresses and true answers, and what reading lists gives.
struct AddressedReading {
    /// The 64 nearest locations of each query, nearest first.
    let addresses: [[ActiveLocation]]
    let truth: [[Int]]

    /// - Parameter epsilon: Only lists within `1 + epsilon` of the nearest squared distance.
    func read(
        _ postings: [[Int]], lists: Int, epsilon: Float = .infinity
    ) -> AddressingReport.Reading {
        var (found, wanted, vectors, read) = (0, 0, 0, 0)
        for (address, truth) in zip(addresses, truth) {
            let bound =
                epsilon < .infinity ? (1 + epsilon) * (address.first?.score ?? 0) : .infinity
            let near = address.prefix(lists).prefix { $0.score <= bound }
            var seen: Set<Int> = []
            for active in near {
                let list = postings[Int(active.key.location)]
                vectors += list.count
                seen.formUnion(list)
            }
            read += near.count
            found += truth.count { seen.contains($0) }
            wanted += truth.count
        }
        let queries = Double(addresses.count)
        return AddressingReport.Reading(
            lists: lists, meanLists: Double(read) / queries,
            recall: Double(found) / Double(wanted), vectors: Double(vectors) / queries)
    }

    func asked(_ homes: [Int], atRandom scattered: [Int], lists: Int) -> AddressingReport.Asked {
        func counts(_ homes: [Int]) -> [Int] {
            addresses.map { address in
                Set(address.prefix(lists).map { homes[Int($0.key.location)] }).count
            }.sorted()
        }
        func mean(_ counts: [Int]) -> Double {
            Double(counts.reduce(0, +)) / Double(counts.count)
        }
        let packed = counts(homes)
        return AddressingReport.Asked(
            lists: lists, mean: mean(packed), p99: packed[(packed.count - 1) * 99 / 100],
            atRandom: mean(counts(scattered)))
    }
}
