import ArgumentParser
import LociClient

struct FieldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "field", abstract: "Creates, imports, lists, explains and drops fields.",
        subcommands: [
            FieldCreate.self, FieldImport.self, FieldList.self, FieldInfo.self, FieldDrop.self,
        ])
}

/// A field as JSON.
struct FieldReport: Encodable {
    let name: String
    let type: String
    let shape: [UInt64]
    let cells: UInt64
    let cellBytes: Int
    let pageBytes: Int
    /// What reads name to be sure of this very field.
    let identity: String

    init(_ field: FieldDefinition, in cluster: UInt64) {
        identity = Show.identity(field.identity(in: cluster))
        name = field.name
        type = field.elementType.name
        shape = field.shape
        cells = field.cellCount
        cellBytes = field.cellBytes
        pageBytes = field.pageBytes
    }

    static func printTable(_ fields: [FieldReport]) {
        var table = Table(
            "field", "type", "shape", "#cells", "#cell bytes", "#page bytes", "#virtual size",
            "identity")
        for field in fields {
            table.add(
                field.name, field.type, field.shape.map(String.init).joined(separator: "x"),
                Show.count(field.cells), Show.count(field.cellBytes), Show.count(field.pageBytes),
                Show.bytes(field.cells * UInt64(field.cellBytes)), field.identity)
        }
        table.print()
    }
}

struct FieldCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Creates a field of zeros.",
        discussion:
            "The last axis is the cell: loci field create rows --shape 1000000x264 --type raw")

    @Argument(help: "Name of the new field.")
    var field: String
    @Option(help: "Axes, such as 1000000x264; the last one is the cell.")
    var shape: Shape
    @Option(help: "What cells are made of: \(ElementType.names.joined(separator: ", ")).")
    var type: ElementTypeArgument = ElementTypeArgument(type: .raw)
    @Option(help: "Bytes of a page, a power of two from 4096 to 2097152; 0 chooses.")
    var pageBytes = 0
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let client = try common.client()
        try await client.createField(
            field, elementType: type.type, shape: shape.axes, pageBytes: pageBytes)
        let placement = try await client.placement()
        guard let created = placement.catalog.field(named: field) else { return }
        let report = FieldReport(created, in: placement.clusterID)
        if common.json {
            try Terminal.printJSON(report)
        } else {
            print(
                "Created field '\(field)': \(Show.amount(created.cellCount, "cell")) of "
                    + "\(created.cellBytes) bytes, identity \(report.identity)."
            )
        }
    }
}

struct FieldList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists all fields.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let placement = try await common.client().placement()
        let fields = placement.catalog.fields.map { FieldReport($0, in: placement.clusterID) }
        if common.json { return try Terminal.printJSON(fields) }
        if fields.isEmpty {
            return print(
                "There are no fields. Create one: loci field create NAME --shape CELLSxBYTES")
        }
        FieldReport.printTable(fields)
    }
}

struct FieldInfo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Explains one field.")

    @Argument(help: "Name of the field.")
    var field: String
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let placement = try await common.client().placement()
        guard let found = placement.catalog.field(named: field) else {
            throw LociError(
                .notFound, "There is no field '\(field)'.",
                advice: "`loci field list` shows those that exist.")
        }
        let report = FieldReport(found, in: placement.clusterID)
        if common.json { return try Terminal.printJSON(report) }
        FieldReport.printTable([report])
    }
}

struct FieldDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Removes a field and all its cells, for good.")

    @Argument(help: "Name of the field.")
    var field: String
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await common.client().dropField(field)
        if common.json { return try Terminal.printJSON(["dropped": field]) }
        print("Dropped field '\(field)'.")
    }
}

/// `1000000x264`.
struct Shape: ExpressibleByArgument {
    let axes: [UInt64]

    init?(argument: String) {
        let axes = argument.split(separator: "x", omittingEmptySubsequences: false)
            .map { UInt64($0) }
        guard axes.allSatisfy({ $0 != nil }) else { return nil }
        self.axes = axes.compactMap(\.self)
    }
}

struct ElementTypeArgument: ExpressibleByArgument {
    let type: ElementType

    init(type: ElementType) { self.type = type }

    init?(argument: String) {
        guard let type = ElementType(name: argument) else { return nil }
        self.type = type
    }

    var defaultValueDescription: String { type.name }
}
