public import LociBase
public import LociModel

/// One field, and only this one: if it is dropped and another is created under its name, its verbs
/// throw FAILED_PRECONDITION; they never read the other's cells.
///
///     let rows = try await client.open("rows")
///     let ticket = try await rows.prefetch(cells: ids, deadline: .milliseconds(20))
///     let cells = try await rows.read(cells: ids)
public struct FieldHandle: Sendable {
    public let client: LociClient
    public let definition: FieldDefinition
    /// What every request names; see `FieldDefinition.identity(in:)`.
    public let identity: UInt64

    init(_ client: LociClient, _ definition: FieldDefinition, identity: UInt64) {
        self.client = client
        self.definition = definition
        self.identity = identity
    }

    /// See `LociClient.read(_:range:options:)`; the identity is this field's.
    public func read(
        range: Range<CellIndex>, options: ReadOptions = ReadOptions()
    ) async throws(LociError) -> Cells {
        try await client.read(try await reading(.range(range), options))
    }

    /// See `LociClient.read(_:cells:options:)`; the identity is this field's.
    public func read(
        cells: [CellIndex], options: ReadOptions = ReadOptions()
    ) async throws(LociError) -> Cells {
        try await client.read(try await reading(.scattered(cells), options))
    }

    /// See `LociClient.read(_:cells:into:options:)`; the identity is this field's.
    public func read(
        cells: [CellIndex], into buffer: inout MutableRawSpan,
        options: ReadOptions = ReadOptions()
    ) async throws(LociError) -> CellsRead {
        try await client.read(try await reading(.scattered(cells), options), into: &buffer)
    }

    /// See `LociClient.prefetch(_:cells:deadline:neededIn:identity:)`.
    public func prefetch(
        cells: [CellIndex], deadline: Duration? = nil, neededIn: Duration? = nil
    ) async throws(LociError) -> PrefetchTicket {
        try await client.prefetch(
            definition.name, cells: cells, deadline: deadline, neededIn: neededIn,
            identity: identity)
    }

    /// See `LociClient.release(_:cells:neededIn:identity:)`.
    @discardableResult
    public func release(
        cells: [CellIndex], neededIn: Duration? = nil
    ) async throws(LociError) -> Outcome {
        try await client.release(
            definition.name, cells: cells, neededIn: neededIn, identity: identity)
    }

    private func reading(
        _ cells: CellNames, _ options: ReadOptions
    ) async throws(LociError) -> CellsReading {
        var options = options
        options.identity = identity
        return try await client.reading(
            definition.name, cells, options, cellBytes: definition.cellBytes)
    }
}

extension LociClient {
    /// The field that has the name now; all that is done with the result is done with just that
    /// field.
    /// - Parameter identity: That it must have; 0 takes whichever has the name.
    /// - Throws: NOT_FOUND; FAILED_PRECONDITION when its identity is another.
    public func open(_ name: String, identity: UInt64 = 0) async throws(LociError) -> FieldHandle {
        let placement = try await placement()
        guard let field = placement.catalog.field(named: name) else { throw noField(name) }
        try field.check(identity: identity, in: placement.clusterID)
        return FieldHandle(self, field, identity: field.identity(in: placement.clusterID))
    }
}

func noField(_ name: String) -> LociError {
    LociError(
        .notFound, "There is no field '\(name)'.",
        advice: "`loci field list` shows those that exist.")
}
