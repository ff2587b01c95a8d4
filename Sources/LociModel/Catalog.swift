public import LociBase

/// All fields, collections and memories of a cluster. The coordinator owns it; shards hold copies.
///
/// Invariants:
/// - Names are unique over all of them together; spaces are never used twice.
/// - `version` grows with every change.
public struct Catalog: Equatable, Sendable {
    public private(set) var version: UInt64 = 0
    public private(set) var nextSpace: SpaceID = 1
    public private(set) var fields: [FieldDefinition] = []
    public private(set) var collections: [CollectionDefinition] = []
    public private(set) var memories: [MemoryDefinition] = []

    public init() {}

    public func field(named name: String) -> FieldDefinition? { fields.first { $0.name == name } }

    public func collection(named name: String) -> CollectionDefinition? {
        collections.first { $0.name == name }
    }

    public func memory(named name: String) -> MemoryDefinition? {
        memories.first { $0.name == name }
    }

    public func field(space: SpaceID) -> FieldDefinition? { fields.first { $0.space == space } }

    public func collection(space: SpaceID) -> CollectionDefinition? {
        collections.first { $0.space == space }
    }

    public func memory(space: SpaceID) -> MemoryDefinition? {
        memories.first { $0.space == space }
    }

    /// - Throws: ALREADY_EXISTS, RESOURCE_EXHAUSTED, or what the definition itself refuses.
    public mutating func createField(
        name: String, elementType: ElementType, shape: [UInt64], pageBytes: Int
    ) throws(LociError) -> FieldDefinition {
        let field = try FieldDefinition(
            space: nextSpace, name: name, elementType: elementType, shape: shape,
            pageBytes: pageBytes)
        try checkFree(name)
        fields.append(field)
        nextSpace += 1
        version += 1
        return field
    }

    /// - Throws: ALREADY_EXISTS, RESOURCE_EXHAUSTED, or what the definition itself refuses.
    public mutating func createCollection(
        name: String, dimension: Int, metric: Metric, isText: Bool,
        options: CollectionOptions = .init()
    ) throws(LociError) -> CollectionDefinition {
        let collection = try CollectionDefinition(
            space: nextSpace, name: name, dimension: dimension, metric: metric, isText: isText,
            options: options)
        try checkFree(name)
        collections.append(collection)
        nextSpace += CollectionDefinition.spaces
        version += 1
        return collection
    }

    /// - Returns: Whether there was one.
    public mutating func dropField(named name: String) -> Bool {
        guard let index = fields.firstIndex(where: { $0.name == name }) else { return false }
        fields.remove(at: index)
        version += 1
        return true
    }

    /// - Returns: Whether there was one.
    public mutating func dropCollection(named name: String) -> Bool {
        guard let index = collections.firstIndex(where: { $0.name == name }) else { return false }
        collections.remove(at: index)
        version += 1
        return true
    }

    /// - Throws: ALREADY_EXISTS, RESOURCE_EXHAUSTED, or what the definition itself refuses.
    public mutating func createMemory(
        name: String, bits: Int, locations: UInt64, radius: Int, seed: UInt64
    ) throws(LociError) -> MemoryDefinition {
        let memory = try MemoryDefinition(
            space: nextSpace, name: name, bits: bits, locations: locations, radius: radius,
            seed: seed)
        try checkFree(name)
        memories.append(memory)
        nextSpace += 1
        version += 1
        return memory
    }

    /// - Returns: Whether there was one.
    public mutating func dropMemory(named name: String) -> Bool {
        guard let index = memories.firstIndex(where: { $0.name == name }) else { return false }
        memories.remove(at: index)
        version += 1
        return true
    }

    private func kind(named name: String) -> String? {
        if field(named: name) != nil { return "field" }
        if collection(named: name) != nil { return "collection" }
        return memory(named: name) == nil ? nil : "memory"
    }

    private func checkFree(_ name: String) throws(LociError) {
        if let kind = kind(named: name) {
            throw LociError(
                .alreadyExists, "There is a \(kind) '\(name)' already.",
                advice: "Choose another name, or drop it first: loci \(kind) drop \(name)")
        }
        guard fields.count + collections.count + memories.count < Limits.definitions else {
            throw LociError(
                .resourceExhausted,
                "The cluster has \(Limits.definitions) fields, collections and memories, its "
                    + "limit.",
                advice: "Drop one that is no longer needed.")
        }
    }
}

extension Catalog {
    /// The catalog as bytes: in the coordinator's metadata, in shards' logs, and on the wire.
    public var encoded: Bytes {
        var writer = ByteWriter()
        writer.write(version)
        writer.write(nextSpace)
        writer.write(UInt32(fields.count))
        for field in fields {
            writer.write(field.space)
            writer.write(field.name)
            writer.write(field.elementType.code)
            writer.write(array: field.shape)
            writer.write(UInt32(field.pageBytes))
        }
        writer.write(UInt32(collections.count))
        for collection in collections {
            writer.write(collection.space)
            writer.write(collection.name)
            writer.write(UInt32(collection.dimension))
            writer.write(collection.metric.rawValue)
            writer.write(collection.isText)
            writer.write(UInt32(collection.options.codeBits))
            writer.write(UInt32(collection.options.copies))
            writer.write(UInt32(collection.options.indexedFields.count))
            for field in collection.options.indexedFields { writer.write(field) }
        }
        writer.write(UInt32(memories.count))
        for memory in memories {
            writer.write(memory.space)
            writer.write(memory.name)
            writer.write(UInt32(memory.bits))
            writer.write(memory.locations)
            writer.write(UInt32(memory.radius))
            writer.write(memory.seed)
        }
        return writer.finished
    }

    /// - Throws: DATA_LOSS when the bytes are not a catalog.
    public init(encoded bytes: Bytes) throws(LociError) {
        let broken = LociError(.dataLoss, "The catalog is damaged.")
        do {
            var reader = ByteReader(bytes)
            version = try reader.read()
            nextSpace = try reader.read()
            for _ in 0..<(try reader.read(UInt32.self)) {
                let space: SpaceID = try reader.read()
                let name = try reader.readString()
                let code: UInt32 = try reader.read()
                let shape: [UInt64] = try reader.readArray()
                let pageBytes: UInt32 = try reader.read()
                guard let type = ElementType(code: code) else { throw broken }
                fields.append(
                    try FieldDefinition(
                        space: space, name: name, elementType: type, shape: shape,
                        pageBytes: Int(pageBytes)))
            }
            for _ in 0..<(try reader.read(UInt32.self)) {
                let space: SpaceID = try reader.read()
                let name = try reader.readString()
                let dimension: UInt32 = try reader.read()
                let code: UInt32 = try reader.read()
                let isText = try reader.readBool()
                var options = CollectionOptions(
                    codeBits: Int(try reader.read(UInt32.self)),
                    copies: Int(try reader.read(UInt32.self)))
                for _ in 0..<(try reader.read(UInt32.self)) {
                    options.indexedFields.append(try reader.readString())
                }
                guard let metric = Metric(rawValue: code) else { throw broken }
                collections.append(
                    try CollectionDefinition(
                        space: space, name: name, dimension: Int(dimension), metric: metric,
                        isText: isText, options: options))
            }
            for _ in 0..<(try reader.read(UInt32.self)) {
                memories.append(
                    try MemoryDefinition(
                        space: try reader.read(), name: try reader.readString(),
                        bits: Int(try reader.read(UInt32.self)), locations: try reader.read(),
                        radius: Int(try reader.read(UInt32.self)), seed: try reader.read()))
            }
        } catch {
            throw broken
        }
    }
}
