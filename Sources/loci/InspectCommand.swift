import ArgumentParser
import LociClient
import LociStorage

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what one file of a shard holds.",
        discussion: """
            The file is a segment, log, state, superblock, identity, double-write, extent or copy; \
            its header says which. Nothing is changed or locked: what a running shard writes \
            meanwhile may look torn. The exit code is 1 when something in it is damaged.
            """)

    @Argument(help: "The file.")
    var file: String

    @Option(help: "Records or runs of pages to list.")
    var limit = 20

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit is 0 or more.") }
    }

    func run() async throws {
        let found: FileInspection
        do throws(StorageError) {
            found = try FileInspection.inspect(file, ReadingFileSystem(), limit: limit)
        } catch {
            throw error.sentence
        }
        if json { try Terminal.printJSON(InspectionOutput(file, found)) } else { show(found) }
        if found.damagedParts > 0 { throw Loci.failure }
    }

    private func show(_ found: FileInspection) {
        let width = found.facts.map(\.name.count).max() ?? 0
        for fact in found.facts {
            let padding = String(repeating: " ", count: width - fact.name.count + 2)
            print(fact.name + padding + fact.value)
        }
        if found.parts.isEmpty { return }
        print()
        var table = Table("#offset", "#bytes", "what", "checksum")
        for part in found.parts {
            table.add(
                Show.count(part.offset), Show.count(part.bytes), part.what,
                part.isIntact ? "right" : "WRONG")
        }
        table.print()
        let left = found.partCount - UInt64(found.parts.count)
        if left > 0 { print("... and \(Show.count(left)) more; --limit shows more of them") }
    }
}

/// What a file holds, as JSON.
private struct InspectionOutput: Encodable {
    struct Part: Encodable {
        let kind: String
        let offset: UInt64
        let bytes: UInt64
        let what: String
        let isIntact: Bool
    }

    let file: String
    let facts: [String: String]
    let partCount: UInt64
    let damagedParts: UInt64
    let parts: [Part]

    init(_ file: String, _ found: FileInspection) {
        self.file = file
        facts = Dictionary(
            found.facts.map { ($0.name.replacing(" ", with: "_"), $0.value) },
            uniquingKeysWith: { first, _ in first })
        partCount = found.partCount
        damagedParts = found.damagedParts
        parts = found.parts.map {
            Part(
                kind: $0.kind, offset: $0.offset, bytes: $0.bytes, what: $0.what,
                isIntact: $0.isIntact)
        }
    }
}
