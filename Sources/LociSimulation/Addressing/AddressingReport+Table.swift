extension AddressingReport {
    /// The report as lines of a table.
    public var table: String {
        var lines = [
            """
            \(points) points, \(locations) hard locations, \(queries) queries; copies \
            \(rounded(meanCopies, 2)) mean, \(rounded(100 * copied, 1)) % have more than one; \
            lists \(rounded(meanList, 1)) mean, \(longestList) longest
            codes: \(rounded(100 * codeShare, 2)) % of the vectors' bytes, \
            \(rounded(100 * codeRecall, 2)) % of the 16 nearest locations found
            """,
            row(["", "lists", "recall@10", "vectors read"]),
        ]
        for reading in closure { lines.append(row("closure", reading)) }
        for reading in single { lines.append(row("single", reading)) }
        for (epsilon, reading) in pruned { lines.append(row("eps \(epsilon)", reading)) }
        lines.append(row(["shards", "lists", "asked mean", "p99", "at random", "max/mean load"]))
        for shards in shards {
            for asked in shards.asked {
                lines.append(
                    row([
                        "\(shards.count)", "\(asked.lists)", rounded(asked.mean, 2),
                        "\(asked.p99)", rounded(asked.atRandom, 2), rounded(shards.imbalance, 3),
                    ]))
            }
            lines.append(
                """
                \(shards.count) shards: neighbours of a sampled point on \
                \(rounded(shards.neighbourPartitions, 2)) partitions: \
                \(shards.isUnroutable ? "unroutable" : "routable")
                """)
        }
        return lines.joined(separator: "\n")
    }

    private func row(_ name: String, _ reading: Reading) -> String {
        row([
            name, rounded(reading.meanLists, 1), rounded(reading.recall, 4),
            rounded(reading.vectors, 0),
        ])
    }

    private func row(_ cells: [String]) -> String { Columns.row(cells) }

    private func rounded(_ value: Double, _ places: Int) -> String {
        Columns.rounded(value, places)
    }
}
