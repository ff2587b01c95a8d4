import ArgumentParser
import LociClient

struct ResidencyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "residency", abstract: "Shows on which tiers the pages of a field lie.",
        discussion: """
            A page in memory is a copy: it counts there and on the tier that it is a copy of.
            Pages that were never written lie nowhere.
            """)

    @Argument(help: "Name of the field.")
    var field: String
    @Flag(help: "Draw a picture: a line for each partition, or for several if there are many.")
    var heatmap = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let client = try common.client()
        guard let definition = try await client.describe().field(named: field) else {
            throw LociError(
                .notFound, "There is no field '\(field)'.",
                advice: "`loci field list` shows those that exist.")
        }
        let partitions = Int(try await client.status().partitions)
        var sums = (0..<partitions).map { ResidencyReport(partition: "\($0)") }
        var picture = ResidencyPicture(partitions: partitions)
        var hasStranger = false
        let receipt = try await client.residency(of: field) { _, extents in
            for extent in extents {
                guard Int(extent.partition) < partitions else {
                    hasStranger = true
                    continue
                }
                sums[Int(extent.partition)].add(extent)
                picture.add(extent)
            }
        }
        guard !hasStranger else {
            throw LociError(.internal, "The answer names partitions that do not exist.")
        }
        if common.json {
            return try Terminal.printJSON(
                ResidencyOutput(
                    field: field, pageBytes: definition.pageBytes, partitions: sums,
                    receipt: ReceiptReport(receipt)))
        }
        show(sums)
        if heatmap {
            print()
            for line in picture.lines(definition) { print(line) }
        }
    }

    private func show(_ sums: [ResidencyReport]) {
        var table = Table("partition", "#extents", "#dram", "#far", "#ssd", "#hdd")
        var total = ResidencyReport(partition: "all")
        for sum in sums { total.add(sum) }
        for sum in sums + [total] where sum.extents > 0 || sum.partition == total.partition {
            table.add(
                sum.partition, Show.count(sum.extents), Show.count(sum.dram), Show.count(sum.far),
                Show.count(sum.ssd), Show.count(sum.hdd))
        }
        table.print()
    }
}

/// A field's pages by tier, as JSON.
private struct ResidencyOutput: Encodable {
    let field: String
    let pageBytes: Int
    let partitions: [ResidencyReport]
    let receipt: ReceiptReport
}

/// Pages of a partition by tier.
private struct ResidencyReport: Encodable {
    let partition: String
    /// Of 1 MiB, that have pages anywhere.
    var extents: UInt64 = 0
    var dram: UInt64 = 0
    var far: UInt64 = 0
    var ssd: UInt64 = 0
    var hdd: UInt64 = 0

    init(partition: String) { self.partition = partition }

    mutating func add(_ extent: ExtentResidency) {
        extents += 1
        dram += UInt64(extent.dram)
        far += UInt64(extent.far)
        ssd += UInt64(extent.ssd)
        hdd += UInt64(extent.hdd)
    }

    mutating func add(_ other: ResidencyReport) {
        extents += other.extents
        dram += other.dram
        far += other.far
        ssd += other.ssd
        hdd += other.hdd
    }
}

/// A field as characters: a line for each partition or several, a character for as many extents
/// as it takes to fit the width. Grows coarser by itself as extents farther back come.
struct ResidencyPicture {
    static let width = 64
    static let height = 32
    /// From the hottest: a character shows the hottest tier of all pages that it stands for.
    static let shades: [(mark: Character, meaning: String)] = [
        ("#", "dram"), ("+", "far"), ("-", "ssd"), (".", "hdd"), (" ", "never written"),
    ]

    private let partitions: Int
    private let partitionsPerLine: Int
    private(set) var extentsPerCharacter: UInt64 = 1
    private var shadeOf: [[Int]]

    init(partitions: Int) {
        self.partitions = partitions
        partitionsPerLine = max(1, (partitions + Self.height - 1) / Self.height)
        let lines = (partitions + partitionsPerLine - 1) / partitionsPerLine
        shadeOf = Array(
            repeating: Array(repeating: Self.shades.count - 1, count: Self.width), count: lines)
    }

    mutating func add(_ extent: ExtentResidency) {
        while extent.extent / extentsPerCharacter >= UInt64(Self.width) { coarsen() }
        let counts = [extent.dram, extent.far, extent.ssd, extent.hdd]
        guard let shade = counts.firstIndex(where: { $0 > 0 }) else { return }
        let line = Int(extent.partition) / partitionsPerLine
        let column = Int(extent.extent / extentsPerCharacter)
        shadeOf[line][column] = min(shadeOf[line][column], shade)
    }

    /// Two characters become one, of the hotter shade.
    private mutating func coarsen() {
        extentsPerCharacter *= 2
        for line in shadeOf.indices {
            let old = shadeOf[line]
            for column in 0..<Self.width {
                shadeOf[line][column] =
                    column < Self.width / 2
                    ? min(old[2 * column], old[2 * column + 1]) : Self.shades.count - 1
            }
        }
    }

    /// The picture, its legend, and how much one character stands for.
    func lines(_ field: FieldDefinition) -> [String] {
        var names: [String] = []
        for line in shadeOf.indices {
            let first = line * partitionsPerLine
            let last = min(first + partitionsPerLine, partitions) - 1
            names.append(first == last ? "\(first)" : "\(first)-\(last)")
        }
        let nameWidth = names.map(\.count).max() ?? 0
        var result = zip(names, shadeOf).map { name, shades in
            let padding = String(repeating: " ", count: nameWidth - name.count)
            return padding + name + " |" + String(shades.map { Self.shades[$0].mark }) + "|"
        }
        let legend = Self.shades.map { "'\($0.mark)' \($0.meaning)" }.joined(separator: "  ")
        let bytes = extentsPerCharacter * ExtentResidency.extentBytes
        let pages = max(1, bytes / UInt64(field.pageBytes))
        let cells = pages * UInt64(max(1, field.pageBytes / field.cellBytes))
        result.append(legend)
        result.append(
            "A line is \(Show.amount(partitionsPerLine, "partition")), from its first page on; a "
                + "character stands for up to \(Show.count(cells)) cells "
                + "(\(Show.bytes(bytes))) of each, and shows the hottest tier among them.")
        return result
    }
}
