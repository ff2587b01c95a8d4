import LociBase
public import LociModel
import LociSearch

/// What a sparse distributed memory of 20,000 hard locations recalls of noisy patterns, by how many
/// are stored: within its capacity all, beyond it few. Each memory is kept twice, in one place and
/// split over partitions, and read from both.
public struct MemoryRecallTrial: Sendable {
    /// Memories, each with hard locations and patterns of its own.
    public var memories: Int
    /// Readings for each cell of the table, in each memory.
    public var trials: Int
    /// Of the memory that is split.
    public var partitions: Int
    public var seed: UInt64
    /// A memory's patterns are stored up to each row's number in turn.
    public var rows: [Row]

    /// A number of stored patterns, and with which noise it is read.
    public struct Row: Sendable {
        public var stored: Int
        /// In percent of the bits.
        public var noises: [Int]

        public init(stored: Int, noises: [Int]) {
            self.stored = stored
            self.noises = noises
        }
    }

    public static let bits = 256
    public static let locations: UInt64 = 20_000
    /// Some 147 locations are active.
    public static let radius = 108
    public static let steps = 10
    /// A reading with more wrong bits, 1 % of them, is none.
    public static let mostWrong = 2

    /// Those with a reference.
    public static let known = [
        Row(stored: 100, noises: [0, 5, 10, 15, 20, 25]),
        Row(stored: 300, noises: [0, 5, 10, 15, 20]),
        Row(stored: 600, noises: [5, 10]), Row(stored: 1000, noises: [5]),
        Row(stored: 1500, noises: [0]), Row(stored: 2500, noises: [0]),
    ]

    /// - Precondition: rows with more stored patterns come later.
    public init(
        memories: Int, trials: Int = 30, partitions: Int = 4, seed: UInt64 = 1, rows: [Row] = known
    ) {
        precondition(memories > 0 && partitions > 0 && !rows.isEmpty)
        precondition(rows.allSatisfy { (1...$0.stored).contains(trials) })
        precondition(zip(rows, rows.dropFirst()).allSatisfy { $0.stored < $1.stored })
        self.memories = memories
        self.trials = trials
        self.partitions = partitions
        self.seed = seed
        self.rows = rows
    }

    /// - Parameter progress: Hears after each memory how many are done.
    public func run(progress: (Int) -> Void = { _ in }) throws(LociError) -> MemoryRecallReport {
        var report = MemoryRecallReport(
            partitions: partitions,
            cells: rows.flatMap { row in
                row.noises.map { MemoryRecallReport.Cell(stored: row.stored, noise: $0) }
            })
        for memory in 0..<memories {
            try run(memory, into: &report)
            progress(memory + 1)
        }
        return report
    }

    private func run(_ number: Int, into report: inout MemoryRecallReport) throws(LociError) {
        var random = SeededRandom(seed: mix64(seed) &+ UInt64(number))
        let definition = try MemoryDefinition(
            space: 1, name: "memory", bits: Self.bits, locations: Self.locations,
            radius: Self.radius, seed: random.next())
        var whole = PartitionedMemory(definition)
        var split = PartitionedMemory(definition, partitions: partitions)
        var patterns: [BinaryVector] = []
        var cell = 0
        for row in rows {
            while patterns.count < row.stored {
                let pattern = BinaryVector(random: Self.bits, using: &random)
                whole.write(pattern)
                split.write(pattern)
                patterns.append(pattern)
            }
            for noise in row.noises {
                for pattern in patterns.shuffled(using: &random).prefix(trials) {
                    let flips = Int((Double(Self.bits * noise) / 100).rounded())
                    let probe = pattern.flipped(flips, using: &random)
                    read(probe, of: pattern, whole, split, into: &report, cell)
                }
                cell += 1
            }
        }
    }

    private func read(
        _ probe: BinaryVector, of pattern: BinaryVector, _ whole: PartitionedMemory,
        _ split: PartitionedMemory, into report: inout MemoryRecallReport, _ cell: Int
    ) {
        var reading = KanervaReading(whole.definition, at: probe, steps: Self.steps)
        var other = reading
        while !reading.isFinished {
            let sums = whole.sums(at: reading.address)
            report.comparedSums += 1
            if split.sums(at: reading.address) != sums { report.differentSums += 1 }
            reading.advance(sums)
        }
        while !other.isFinished { other.advance(split.sums(at: other.address)) }
        if other.address != reading.address || other.steps != reading.steps {
            report.differentReadings += 1
        }
        report.cells[cell].trials += 1
        report.cells[cell].steps += reading.steps
        if reading.isFixedPoint { report.cells[cell].fixedPoints += 1 }
        if reading.address.distance(to: pattern) <= Self.mostWrong {
            report.cells[cell].recalled += 1
        }
    }
}
