import LociBase
import LociModel
import LociPlacement
import LociText
import LociWire

/// Creating and dropping fields, collections and memories: one change at a time, durable before it
/// counts, installed on every shard in touch before it is acknowledged.
extension CoordinatorNode {
    mutating func define(
        _ change: Body, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let number = begin(
            .definition(DefinitionOperation(change: change)), client, deadline)
        definitionQueue.append(number)
        nextDefinition(into: &directives)
    }

    private mutating func nextDefinition(into directives: inout [CoordinatorDirective]) {
        while persisting == nil, !definitionQueue.isEmpty {
            let number = definitionQueue.removeFirst()
            guard let operation = operations[number],
                case .definition(let definition) = operation.kind
            else { continue }
            do {
                var next = metadata
                try change(&next, by: definition.change)
                persist(next, for: number, into: &directives)
            } catch {
                fail(operation, error, into: &directives)
            }
        }
        if persisting == nil, isMetadataUnsaved { persist(metadata, for: 0, into: &directives) }
    }

    private mutating func persist(
        _ next: ClusterMetadata, for operation: UInt64,
        into directives: inout [CoordinatorDirective]
    ) {
        nextPersist += 1
        isMetadataUnsaved = false
        persisting = Persisting(operation: operation, metadata: next)
        directives.append(.persist(nextPersist, next.encoded))
    }

    private func change(_ next: inout ClusterMetadata, by change: Body) throws(LociError) {
        var catalog = next.catalog
        defer { next.catalog = catalog }
        switch change {
        case .createField(let create):
            _ = try catalog.createField(
                name: create.name, elementType: create.elementType, shape: create.shape,
                pageBytes: Int(create.pageBytes))
        case .createCollection(let create):
            _ = try catalog.createCollection(
                name: create.name,
                dimension: create.isText ? LexicalEncoder.dimension : Int(create.dimension),
                metric: create.isText ? .cosine : create.metric, isText: create.isText,
                options: create.options)
        case .dropField(let drop):
            let field = try field(named: drop.name)
            _ = catalog.dropField(named: field.name)
        case .dropCollection(let drop):
            let collection = try collection(named: drop.name)
            _ = catalog.dropCollection(named: collection.name)
            next.tuning[collection.space] = nil
        case .createMemory(let create):
            let memory = try catalog.createMemory(
                name: create.name, bits: Int(create.bits), locations: create.locations,
                radius: Int(create.radius), seed: create.seed)
            try memory.checkActivation(
                partitions: next.map.partitions, shards: next.map.shards)
        case .dropMemory(let drop):
            let memory = try memory(named: drop.name)
            _ = catalog.dropMemory(named: memory.name)
        case .storeTuning(let store):
            let collection = try collection(named: store.collection)
            next.tuning[collection.space] = store.tuning.isEmpty ? nil : store.tuning
        default: throw LociError(.internal, "Not a definition.")
        }
    }

    mutating func persisted(
        _ number: UInt64, _ error: LociError?, into directives: inout [CoordinatorDirective]
    ) {
        guard let done = persisting, number == nextPersist else { return }
        persisting = nil
        defer { nextDefinition(into: &directives) }
        // What is durable counts, also when nobody waits for it any more.
        if error == nil {
            metadata.catalog = done.metadata.catalog
            metadata.tuning = done.metadata.tuning
            followCatalog()
        }
        guard var operation = operations.removeValue(forKey: done.operation),
            case .definition(var definition) = operation.kind
        else { return }
        if let error { return fail(operation, error, into: &directives) }
        definition.isPersisted = true
        operation.kind = .definition(definition)
        // Shards need not know how a collection is tuned.
        if case .storeTuning = definition.change {
            return resume(operation, into: &directives)
        }
        for shard in sessions.indices where sessions[shard].isUp {
            sessions[shard].installSentAt = now
            ask(
                ShardIndex(shard), .install(Install(version: metadata.catalog.version)),
                bulk: [metadata.catalog.encoded], part: shard, for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    /// Shards that did not install it will when they are back: the change stands.
    mutating func definitionInstalled(
        _ operation: Operation, into directives: inout [CoordinatorDirective]
    ) {
        guard case .definition(let definition) = operation.kind, definition.isPersisted else {
            return fail(
                operation,
                operation.failure
                    ?? LociError(.unavailable, "The change was not made.", advice: "Try again."),
                into: &directives)
        }
        let done = Acknowledged(
            count: metadata.catalog.version, receipt: receipt(of: operation))
        answer(operation, .acknowledged(done), into: &directives)
    }

    /// Brings the states of collections in line with the catalog.
    mutating func followCatalog() {
        let existing = Set(metadata.catalog.collections.map(\.space))
        collections = collections.filter { existing.contains($0.key) }
        for definition in metadata.catalog.collections
        where collections[definition.space] == nil {
            var encoder: LexicalEncoder?
            if definition.isText {
                let saved = savedRarity[definition.space]
                encoder =
                    saved.flatMap { try? LexicalEncoder(encodedState: $0) }
                    ?? LexicalEncoder()
            }
            collections[definition.space] = CollectionState(
                definition, partitions: metadata.map.partitions, encoder: encoder)
        }
    }

    /// Remembers whether a collection can be routed; nobody waits for it.
    mutating func note(
        unroutable isUnroutable: Bool, _ space: SpaceID,
        into directives: inout [CoordinatorDirective]
    ) {
        if isUnroutable {
            metadata.unroutable.insert(space)
        } else {
            metadata.unroutable.remove(space)
        }
        isMetadataUnsaved = true
        nextDefinition(into: &directives)
    }

    /// Once a second, keeps what the encoders have learned.
    mutating func saveRarity(into directives: inout [CoordinatorDirective]) {
        guard now.microseconds(since: raritySavedAt) >= 1_000_000 else { return }
        raritySavedAt = now
        for space in collections.keys.sorted() where collections[space]!.isRarityUnsaved {
            collections[space]!.isRarityUnsaved = false
            if let encoder = collections[space]!.encoder {
                directives.append(.saveRarity(space, encoder.encodedState))
            }
        }
    }
}
