public import LociBase
public import LociModel
import LociWire
import Synchronization

extension LociClient {
    /// Creates a field of zeros: its name, what a cell's elements are, and its shape, whose last
    /// axis is the cell.
    /// - Parameter pageBytes: A power of two from 4096 to 2097152 that a cell fits into; 0 chooses.
    /// - Throws: ALREADY_EXISTS; INVALID_ARGUMENT.
    public func createField(
        _ name: String, elementType: ElementType, shape: [UInt64], pageBytes: Int = 0
    ) async throws(LociError) {
        guard let pageBytes = UInt32(exactly: pageBytes) else {
            throw LociError(
                .invalidArgument, "A page of \(pageBytes) bytes is not possible.",
                advice: "Choose a power of two from 4096 to 2097152.")
        }
        let body = CreateField(
            name: name, elementType: elementType, shape: shape, pageBytes: pageBytes)
        _ = try await call(.createField(body))
        forget(name)
    }

    /// Removes a field and all its cells.
    /// - Throws: NOT_FOUND.
    public func dropField(_ name: String) async throws(LociError) {
        _ = try await call(.dropField(DropField(name: name)))
        forget(name)
    }

    /// All fields and collections.
    public func describe() async throws(LociError) -> Catalog {
        let answer = try await call(.describe)
        guard case .catalog = answer.body, answer.bulk.count == 1 else { throw unexpected(answer) }
        return try Catalog(encoded: answer.bulk[0])
    }

    /// Writes consecutive cells. Durable when it returns. A write of more than `Limits.chunkBytes`
    /// travels as several requests: after a failure some of them may have been applied.
    /// - Parameter bytes: Whole cells.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT when a cell lies outside of the field or `bytes` are
    ///   not whole cells.
    public func write(
        _ field: String, first: CellIndex, bytes: Bytes
    ) async throws(LociError) -> Outcome {
        let cellBytes = try await cellBytes(of: field)
        guard bytes.count % cellBytes == 0, !bytes.isEmpty else {
            throw wrongSize(bytes.count, cellBytes: cellBytes, field: field)
        }
        let count = bytes.count / cellBytes
        let parts = Chunks.ranges(
            count: count, itemBytes: cellBytes, itemLimit: Limits.cellsPerRequest)
        return try await write(field, parts) { part in
            (
                WriteCells(
                    field: field, first: first + UInt64(part.lowerBound),
                    count: UInt64(part.count)),
                [bytes.slice((part.lowerBound * cellBytes)..<(part.upperBound * cellBytes))]
            )
        }
    }

    /// Writes scattered cells: `bytes` holds them in the order of `cells`. Of a cell that is named
    /// twice in one request the last counts. Durable when it returns; see `write(_:first:bytes:)`.
    public func write(
        _ field: String, cells: [CellIndex], bytes: Bytes
    ) async throws(LociError) -> Outcome {
        let cellBytes = try await cellBytes(of: field)
        guard !cells.isEmpty, bytes.count == cells.count * cellBytes else {
            throw wrongSize(bytes.count, cellBytes: cellBytes, field: field)
        }
        let parts = Chunks.ranges(
            count: cells.count, itemBytes: cellBytes, itemLimit: Limits.cellsPerRequest)
        return try await write(field, parts) { part in
            (
                WriteCells(field: field, count: UInt64(part.count), isScattered: true),
                [
                    Bytes(values: Array(cells[part])),
                    bytes.slice((part.lowerBound * cellBytes)..<(part.upperBound * cellBytes)),
                ]
            )
        }
    }

    private func write(
        _ field: String, _ parts: [Range<Int>],
        _ request: @escaping @Sendable (Range<Int>) -> (WriteCells, [Bytes])
    ) async throws(LociError) -> Outcome {
        let answers = try await forgetting(field) { () async throws(LociError) in
            try await Chunks.run(parts) { part async throws(LociError) in
                let (body, bulk) = request(part)
                return try Outcome(try await self.call(.writeCells(body), bulk: bulk))
            }
        }
        return Outcome(
            count: answers.reduce(0) { $0 + $1.count }, receipt: .sum(answers.map(\.receipt)))
    }

    private func wrongSize(_ count: Int, cellBytes: Int, field: String) -> LociError {
        LociError(
            .invalidArgument,
            "\(count) bytes do not fill the cells: a cell of '\(field)' has \(cellBytes) bytes.",
            advice: "Give as many bytes as the cells have together.")
    }
}

// What is known of fields is only used to cut calls into requests; the coordinator checks them.
extension LociClient {
    func cellBytes(of name: String) async throws(LociError) -> Int {
        if let field = shared.fields.withLock({ $0[name] }) { return field.cellBytes }
        guard let field = try await describe().field(named: name) else {
            throw LociError(
                .notFound, "There is no field '\(name)'.",
                advice: "`loci field list` shows those that exist.")
        }
        shared.fields.withLock { $0[name] = field }
        return field.cellBytes
    }

    func forget(_ name: String) {
        shared.fields.withLock { _ = $0.removeValue(forKey: name) }
    }

    /// After a failure the field may have been dropped or created anew.
    func forgetting<Result>(
        _ field: String, _ body: () async throws(LociError) -> Result
    ) async throws(LociError) -> Result {
        do {
            return try await body()
        } catch {
            forget(field)
            throw error
        }
    }
}

func changed(_ field: String) -> LociError {
    LociError(
        .failedPrecondition, "The field '\(field)' changed during the call.", advice: "Try again.")
}
