import ArgumentParser
import LociClient
import LociImport
import LociSearch

struct MemoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Sparse distributed memories over binary vectors: restore what is noisy.",
        discussion: """
            loci memory create patterns --bits 256 --locations 20000
            loci memory write patterns --vector @patterns.npy
            loci memory read patterns --vector @noisy.npy --steps 10 --out restored.npy
            """,
        subcommands: [
            MemoryCreate.self, MemoryWrite.self, MemoryRead.self, MemoryList.self, MemoryDrop.self,
        ])
}

/// A memory as JSON.
private struct MemoryReport: Encodable {
    let name: String
    let bits: Int
    let locations: UInt64
    let radius: Int
    let seed: UInt64
    let expectedActive: Double
    let bytes: UInt64

    init(_ memory: MemoryDefinition) {
        name = memory.name
        bits = memory.bits
        locations = memory.locations
        radius = memory.radius
        seed = memory.seed
        expectedActive = memory.expectedActive
        bytes = memory.field.cellCount * UInt64(memory.field.cellBytes)
    }
}

private struct MemoryCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Creates an empty memory.",
        discussion: """
            Without --radius, the one is chosen at which --items patterns stand out most against
            each other (Kanerva 1988). What it comes to is printed: hard locations that an address
            activates, on average.
            """)

    @Argument(help: "Name of the new memory.")
    var memory: String
    @Option(help: "Bits of a vector: 1 to \(MemoryDefinition.mostBits).")
    var bits: Int
    @Option(help: "Hard locations: ten to a hundred for each pattern to be recalled.")
    var locations: UInt64
    @Option(help: "Patterns to choose the radius for. Left out: a hundredth of the locations.")
    var items: UInt64?
    @Option(help: "Hard locations within so many bits of an address are active.")
    var radius: Int?
    @Option(help: "Number that the hard locations' addresses follow from.")
    var seed: UInt64 = 0
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...MemoryDefinition.mostBits).contains(bits) else {
            throw ValidationError(
                "--bits must be 1 to \(MemoryDefinition.mostBits), not \(bits).")
        }
        guard (1...MemoryDefinition.mostLocations).contains(locations) else {
            throw ValidationError(
                "--locations must be 1 to \(MemoryDefinition.mostLocations), not \(locations).")
        }
        if radius != nil, items != nil {
            throw ValidationError("--items chooses the radius: leave out one of both.")
        }
        if items == 0 { throw ValidationError("--items must be at least 1.") }
    }

    func run() async throws {
        let client = try common.client()
        let radius =
            radius
            ?? MemoryDefinition.radius(
                bits: bits, locations: locations, items: items ?? max(1, locations / 100))
        try await client.createMemory(
            memory, bits: bits, locations: locations, radius: radius, seed: seed)
        guard let created = try await client.describe().memory(named: memory) else { return }
        let report = MemoryReport(created)
        let active = UInt64(created.expectedActive.rounded())
        if active == 0 {
            Terminal.note(
                "Most addresses activate no hard location at this radius: what is written there "
                    + "is not kept. Create it again with a larger radius or more locations.")
        }
        if common.json { return try Terminal.printJSON(report) }
        print(
            "Created memory '\(memory)': \(Show.amount(locations, "hard location")) of \(bits) "
                + "counters, \(Show.bytes(report.bytes)) when all are in use. Within the radius of "
                + "\(radius) bits an address activates about \(Show.count(active)) of them.")
    }
}

private struct MemoryWrite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Writes vectors into a memory, at themselves unless --data is given.",
        discussion: """
            After a failure some vectors may be written, and none is known to be: writing them
            again counts those twice, which recall bears.
            """)

    @Argument(help: "Name of the memory.")
    var memory: String
    @Option(help: "Addresses: 0,1,1,... or @FILE.npy, one vector per row; see `loci memory read`.")
    var vector: String
    @Option(help: "What to write at them, in the same form. Left out: the addresses themselves.")
    var data: String?
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    private struct Report: Encodable {
        let written: UInt64
        let receipt: ReceiptReport
    }

    func run() async throws {
        let client = try common.client()
        let definition = try await client.memory(named: memory)
        let addresses = try BinaryVectorArgument.rows(vector, bits: definition.bits)
        let data = try data.map { try BinaryVectorArgument.rows($0, bits: definition.bits) }
        let outcome = try await client.writeMemory(memory, data: data ?? addresses, at: addresses)
        if common.json {
            return try Terminal.printJSON(
                Report(written: outcome.count, receipt: ReceiptReport(outcome.receipt)))
        }
        print("Wrote \(Show.amount(outcome.count, "vector")).")
        if explanation.explain { outcome.receipt.printTable() }
    }
}

private struct MemoryRead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Restores vectors: reads at each, and again at what that gave.",
        discussion: """
            Rows of a file are bytes of 0 and 1, one for each bit, or packed bits, eight to a byte,
            the lowest first (numpy.packbits with bitorder="little"). --out takes bytes of 0 and 1.
            A vector at which no fixed point was reached is not known to the memory.
            """)

    @Argument(help: "Name of the memory.")
    var memory: String
    @Option(help: "Addresses: 0,1,1,... or @FILE.npy, one vector per row.")
    var vector: String
    @Option(help: "Readings at most: 1 to \(Limits.steps). 1 for data written at other addresses.")
    var steps = 10
    @Option(name: [.customShort("o"), .long], help: "Write what was read to this .npy file.")
    var out: String?
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    private struct Item: Encodable {
        let steps: Int
        let isFixedPoint: Bool
        let changedBits: Int
        let active: Int
    }

    private struct Report: Encodable {
        let vectors: [Item]
        let receipt: ReceiptReport
    }

    func validate() throws {
        guard (1...Int(Limits.steps)).contains(steps) else {
            throw ValidationError("--steps must be 1 to \(Limits.steps), not \(steps).")
        }
    }

    func run() async throws {
        let client = try common.client()
        let definition = try await client.memory(named: memory)
        let addresses = try BinaryVectorArgument.rows(vector, bits: definition.bits)
        let (readings, receipt) = try await client.readMemory(memory, at: addresses, steps: steps)
        if let out { try BinaryVectorArgument.write(readings.map(\.vector), to: out) }
        let items = zip(addresses, readings).map { address, reading in
            Item(
                steps: reading.steps, isFixedPoint: reading.isFixedPoint,
                changedBits: address.distance(to: reading.vector), active: reading.active)
        }
        if common.json {
            return try Terminal.printJSON(
                Report(vectors: items, receipt: ReceiptReport(receipt)))
        }
        show(items)
        if explanation.explain { receipt.printTable() }
    }

    private func show(_ items: [Item]) {
        var table = Table("#vector", "#steps", "fixed point", "#bits changed", "#active")
        for (index, item) in items.enumerated() {
            table.add(
                "\(index)", "\(item.steps)", item.isFixedPoint ? "yes" : "no",
                "\(item.changedBits)", Show.count(item.active))
        }
        table.print()
        let unknown = items.count { !$0.isFixedPoint }
        if unknown > 0, steps > 1 {
            Terminal.note("\(Show.amount(unknown, "vector")) without a fixed point.")
        }
    }
}

private struct MemoryList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists all memories.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let memories = try await common.client().describe().memories.map(MemoryReport.init)
        if common.json { return try Terminal.printJSON(memories) }
        if memories.isEmpty {
            return print(
                "There are no memories. Create one: loci memory create NAME --bits 256 "
                    + "--locations 20000")
        }
        var table = Table("memory", "#bits", "#locations", "#radius", "#seed", "#size")
        for memory in memories {
            table.add(
                memory.name, Show.count(memory.bits), Show.count(memory.locations),
                "\(memory.radius)", "\(memory.seed)", Show.bytes(memory.bytes))
        }
        table.print()
    }
}

private struct MemoryDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Removes a memory and all that is in it, for good.")

    @Argument(help: "Name of the memory.")
    var memory: String
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await common.client().dropMemory(memory)
        if common.json { return try Terminal.printJSON(["dropped": memory]) }
        print("Dropped memory '\(memory)'.")
    }
}

extension LociClient {
    fileprivate func memory(named name: String) async throws(LociError) -> MemoryDefinition {
        if let memory = try await describe().memory(named: name) { return memory }
        throw LociError(
            .notFound, "There is no memory '\(name)'.",
            advice: "`loci memory list` shows those that exist.")
    }
}

/// Binary vectors from the command line, and in files.
enum BinaryVectorArgument {
    /// `0,1,1` or `@file.npy`, whose rows are one vector each.
    static func rows(_ text: String, bits: Int) throws -> [BinaryVector] {
        guard text.hasPrefix("@") else {
            let elements = text.split(separator: ",", omittingEmptySubsequences: false)
            let bytes = elements.compactMap { UInt8($0) }
            guard bytes.count == elements.count else {
                throw ValidationError(
                    "'\(text.prefix(64))' is not a binary vector. Write 0,1,1 or @FILE.npy.")
            }
            return [try BinaryVector(Bytes(bytes), count: bits)]
        }
        let file = try RowFile(path: String(text.dropFirst()))
        guard file.elementType == .uint8 else {
            throw LociError(
                .invalidArgument,
                "'\(text.dropFirst())' holds \(file.elementType.name), not bytes of bits.",
                advice: "Save it as uint8: rows of 0 and 1, or packed bits.")
        }
        var vectors: [BinaryVector] = []
        while let rows = try file.next(4096) {
            for start in stride(from: 0, to: rows.count, by: file.rowBytes) {
                let row = rows.slice(start..<(start + file.rowBytes))
                vectors.append(try BinaryVector(row, count: bits))
            }
        }
        return vectors
    }

    /// As an .npy array of bytes of 0 and 1, one row for each vector; whole or not at all.
    static func write(_ vectors: [BinaryVector], to path: String) throws {
        let bits = vectors.first?.count ?? 0
        var header =
            "{'descr': '|u1', 'fortran_order': False, 'shape': (\(vectors.count), \(bits)), }"
        // What is before the data is a multiple of 64 bytes, and ends a line.
        let length = (10 + header.utf8.count + 1 + 63) / 64 * 64
        header += String(repeating: " ", count: length - 10 - header.utf8.count - 1) + "\n"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]
        bytes += Array(header.utf8)
        for vector in vectors { bytes += (0..<bits).map { vector[$0] ? 1 : 0 } }
        let file = try OutputFile(path)
        do {
            try file.write(Bytes(bytes))
            try file.finish()
        } catch {
            file.discard()
            throw error
        }
    }
}
