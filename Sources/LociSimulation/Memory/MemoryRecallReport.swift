/// What a trial of recall found, beside what is known of such a memory (each known share from 30
/// trials, so within 0.09 at one standard deviation).
public struct MemoryRecallReport: Sendable {
    public struct Cell: Sendable {
        public var stored: Int
        /// In percent of the bits.
        public var noise: Int
        public var trials = 0
        public var recalled = 0
        public var fixedPoints = 0
        /// Of all trials.
        public var steps = 0

        init(stored: Int, noise: Int) {
            self.stored = stored
            self.noise = noise
        }

        /// Patterns that came back but for 1 % of their bits.
        public var share: Double { Double(recalled) / Double(max(trials, 1)) }

        /// One standard deviation of `share`.
        public var error: Double {
            (share * (1 - share) / Double(max(trials, 1))).squareRoot()
        }

        public var reference: Double? { MemoryRecallReport.reference[stored]?[noise] }

        /// What the share has to be within, where it has to.
        public var mark: ClosedRange<Double>? {
            switch (stored, noise) {
            case (100, 20), (300, 10): 0.95...1
            // A memory that recalls these keeps the patterns themselves.
            case (1000, 5): 0...0.5
            default: nil
            }
        }

        public var isMissed: Bool { mark.map { !$0.contains(share) } ?? false }
    }

    /// Of the memory that is split.
    public var partitions: Int
    public var cells: [Cell]
    /// Readings at one address, of the whole memory and of the split one.
    public var comparedSums = 0
    public var differentSums = 0
    /// Restored patterns, or their numbers of steps, that differ between the two.
    public var differentReadings = 0

    public var readings: Int { cells.reduce(0) { $0 + $1.trials } }
    public var isSplitExactly: Bool { differentSums == 0 && differentReadings == 0 }
    public var isPassed: Bool { isSplitExactly && !cells.contains(where: \.isMissed) }

    /// By stored patterns and noise in percent.
    static let reference: [Int: [Int: Double]] = [
        100: [0: 1, 5: 1, 10: 1, 15: 1, 20: 1, 25: 0.87],
        300: [0: 1, 5: 1, 10: 1, 15: 0.93, 20: 0.77],
        600: [5: 0.87, 10: 0.63], 1000: [5: 0.3], 1500: [0: 0.9], 2500: [0: 0.47],
    ]
}

extension MemoryRecallReport {
    /// The report as lines of a table.
    public var table: String {
        var lines = [
            Columns.row([
                "stored", "noise", "recalled", "+-", "reference", "fixed points", "steps", "mark",
            ])
        ]
        for cell in cells {
            let trials = Double(max(cell.trials, 1))
            lines.append(
                Columns.row([
                    "\(cell.stored)", "\(cell.noise) %", Columns.rounded(cell.share, 3),
                    Columns.rounded(cell.error, 3),
                    cell.reference.map { Columns.rounded($0, 2) } ?? "-",
                    Columns.rounded(Double(cell.fixedPoints) / trials, 3),
                    Columns.rounded(Double(cell.steps) / trials, 2), mark(cell),
                ]))
        }
        lines.append(
            """
            split over \(partitions) partitions and merged: \(differentSums) of \(comparedSums) \
            sums and \(differentReadings) of \(readings) restored patterns differ from those of \
            the whole: \(isSplitExactly ? "the same bits" : "not the same")
            """)
        return lines.joined(separator: "\n")
    }

    private func mark(_ cell: Cell) -> String {
        guard let mark = cell.mark else { return "" }
        let bound =
            mark.upperBound == 1
            ? ">= \(Columns.rounded(mark.lowerBound, 2))"
            : "<= \(Columns.rounded(mark.upperBound, 2))"
        return bound + (cell.isMissed ? " missed" : " met")
    }
}
