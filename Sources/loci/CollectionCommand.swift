import ArgumentParser
import LociClient

struct CollectionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collection", abstract: "Creates, lists, explains and drops collections.",
        subcommands: [
            CollectionCreate.self, CollectionList.self, CollectionInfoCommand.self,
            CollectionDrop.self,
        ])
}

/// A collection as JSON.
struct CollectionSummary: Encodable {
    let name: String
    let dimension: Int
    let metric: String
    let isText: Bool
    let points: UInt64?
    let hardLocations: UInt32?
    let generation: UInt32?
    let isUnroutable: Bool?
    let isMoving: Bool?

    init(_ collection: CollectionDefinition, _ status: CollectionStatus?) {
        name = collection.name
        dimension = collection.dimension
        metric = collection.metric.name
        isText = collection.isText
        points = status?.points
        hardLocations = status?.locations
        generation = status?.generation
        isUnroutable = status?.isUnroutable
        isMoving = status?.isMoving
    }

    /// All collections of the cluster with what the coordinator knows of them.
    static func all(_ client: LociClient) async throws -> [CollectionSummary] {
        let catalog = try await client.describe()
        let status = try await client.status()
        return catalog.collections.map { collection in
            CollectionSummary(
                collection, status.collections.first { $0.name == collection.name })
        }
    }

    static func printTable(_ collections: [CollectionSummary]) {
        var table = Table(
            "collection", "kind", "#dimension", "metric", "#points", "#locations", "routing")
        for collection in collections {
            let routing =
                switch (collection.isUnroutable, collection.isMoving) {
                case (true?, _): "all shards"
                case (_, true?): "moving"
                case (false?, _): "by address"
                default: ""
                }
            table.add(
                collection.name, collection.isText ? "text" : "vectors",
                "\(collection.dimension)", collection.metric,
                collection.points.map { Show.count($0) } ?? "",
                collection.hardLocations.map { Show.count($0) } ?? "", routing)
        }
        table.print()
    }
}

struct CollectionCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Creates an empty collection of vectors or of texts.",
        discussion: """
            loci collection create digits --dimension 784 --metric l2
            loci collection create notes --text
            loci collection create news --dimension 384 --metric cosine --codes 4bit \\
                --index topic --index year
            """)

    @Argument(help: "Name of the new collection.")
    var collection: String
    @Option(help: "Elements of a vector.")
    var dimension: Int?
    @Option(help: "How vectors are compared: l2, cosine or dot. Default: l2.")
    var metric: MetricArgument?
    @Flag(help: "Points are passages of text, encoded by the cluster itself.")
    var text = false
    @Option(
        help: ArgumentHelp(
            "Bits of each element in the codes by which points are found: 1bit to 8bit.",
            discussion: "More bits take more memory and need fewer exact comparisons."))
    var codes = CodeBits(bits: CollectionOptions.standardCodeBits)
    @Option(help: "Hard locations of a partition that a point is written to, at most.")
    var copies = 1
    @Option(
        help: ArgumentHelp(
            "A payload field that filters name often, such as year or author.name; repeatable.",
            valueName: "field"))
    var index: [String] = []
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if text, dimension != nil || metric != nil {
            throw ValidationError("--text chooses dimension and metric by itself; leave them out.")
        }
        if !text, dimension == nil {
            throw ValidationError("Give --dimension N for vectors, or --text for texts.")
        }
    }

    func run() async throws {
        let client = try common.client()
        let options = CollectionOptions(
            codeBits: codes.bits, copies: copies, indexedFields: index)
        if text {
            try await client.createTextCollection(collection, options: options)
        } else {
            try await client.createCollection(
                collection, dimension: dimension ?? 0, metric: metric?.metric ?? .l2,
                options: options)
        }
        if common.json {
            let report = try await CollectionSummary.all(client).first { $0.name == collection }
            return try Terminal.printJSON(report)
        }
        print("Created collection '\(collection)'. Fill it: loci import \(collection) PATH")
    }
}

struct CollectionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists all collections.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let collections = try await CollectionSummary.all(common.client())
        if common.json { return try Terminal.printJSON(collections) }
        if collections.isEmpty {
            return print("There are no collections. Create one: loci collection create NAME --text")
        }
        CollectionSummary.printTable(collections)
    }
}

struct CollectionDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Removes a collection and all its points, for good.")

    @Argument(help: "Name of the collection.")
    var collection: String
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await common.client().dropCollection(collection)
        if common.json { return try Terminal.printJSON(["dropped": collection]) }
        print("Dropped collection '\(collection)'.")
    }
}

func noCollection(_ name: String) -> LociError {
    LociError(
        .notFound, "There is no collection '\(name)'.",
        advice: "`loci collection list` shows those that exist; "
            + "`loci collection create \(name) --dimension N` or `--text` makes one.")
}

struct MetricArgument: ExpressibleByArgument {
    let metric: Metric

    init?(argument: String) {
        guard let metric = Metric(name: argument) else { return nil }
        self.metric = metric
    }
}

/// `4bit`, or just `4`.
struct CodeBits: ExpressibleByArgument, CustomStringConvertible {
    let bits: Int

    init(bits: Int) { self.bits = bits }

    init?(argument: String) {
        let digits = argument.hasSuffix("bit") ? argument.dropLast(3) : argument[...]
        guard let bits = Int(digits), (1...8).contains(bits) else { return nil }
        self.bits = bits
    }

    var description: String { "\(bits)bit" }
    var defaultValueDescription: String { description }
}
