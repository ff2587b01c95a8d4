/// What a trial of the full-size memory found, beside what is known of it.
public struct MemoryFullSizeReport: Sendable {
    /// Of the locations that an address activates, those that another does too.
    public struct Overlap: Sendable {
        public var distance: Int
        public var share: Figure
        public var reference: Double
        /// Active locations that were looked at, all addresses together, on average.
        public var counted: Double

        /// One standard deviation of the mean; of few, at least that of their number.
        public var error: Double { max(share.error, (reference / counted).squareRoot()) }

        /// Farther from what is known than 5 % and three standard deviations of the mean.
        public var isOff: Bool {
            abs(share.mean - reference) > max(0.05 * reference, 3 * error)
        }
    }

    /// Wrong bits after one reading that started with `distance` of them.
    public struct Reading: Sendable {
        public var distance: Int
        public var wrong: Figure
        /// Mean and standard deviation of 24.
        public var reference: Double
        public var referenceDeviation: Double

        /// Farther from what is known than three standard deviations of the difference.
        public var isOff: Bool {
            let squares = wrong.error * wrong.error + referenceDeviation * referenceDeviation / 24
            return abs(wrong.mean - reference) > 3 * squares.squareRoot()
        }
    }

    public var locations: UInt64
    public var stored: Int
    public var expectedActive: Double
    public var active: Figure
    public var overlaps: [Overlap]
    public var readings: [Reading]

    public var isOff: Bool {
        overlaps.contains(where: \.isOff) || readings.contains(where: \.isOff)
    }

    static let knownOverlaps: [(distance: Int, share: Double)] = [
        (20, 0.636), (50, 0.445), (100, 0.267), (150, 0.162), (200, 0.0965), (209, 0.0867),
        (250, 0.055), (300, 0.030), (500, 0.00103),
    ]

    static let knownReadings: [(distance: Int, wrong: Double, deviation: Double)] = [
        (50, 1.0, 1.3), (100, 21.8, 6.6), (150, 89, 12), (180, 144, 15), (200, 176, 14),
        (209, 199, 15), (220, 219, 14), (250, 261, 20),
    ]
}

extension MemoryFullSizeReport {
    /// The report as lines of a table.
    public var table: String {
        var lines = [
            """
            \(locations) hard locations, \(stored) patterns; active \
            \(Columns.rounded(active.mean, 1)) mean, \(Columns.rounded(expectedActive, 1)) expected
            """,
            Columns.row(["distance", "active in both", "+-", "reference", ""], width: 16),
        ]
        for overlap in overlaps {
            lines.append(
                Columns.row(
                    [
                        "\(overlap.distance)", Columns.rounded(overlap.share.mean, 5),
                        Columns.rounded(overlap.error, 5),
                        Columns.rounded(overlap.reference, 5), overlap.isOff ? "off" : "",
                    ], width: 16))
        }
        lines.append(
            Columns.row(["bits wrong", "after a reading", "deviation", "reference", ""], width: 16))
        for reading in readings {
            lines.append(
                Columns.row(
                    [
                        "\(reading.distance)", Columns.rounded(reading.wrong.mean, 1),
                        Columns.rounded(reading.wrong.deviation, 1),
                        "\(Columns.rounded(reading.reference, 1)) +- "
                            + Columns.rounded(reading.referenceDeviation, 1),
                        reading.isOff ? "off" : "",
                    ], width: 16))
        }
        return lines.joined(separator: "\n")
    }
}
