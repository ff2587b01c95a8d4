public import LociBase
public import LociModel
import LociWire

/// What a read wants beside the cells.
public struct ReadOptions: Equatable, Sendable {
    /// Cells in slower tiers are skipped, and named in the answer; nil asks all tiers.
    public var maxTier: Tier?
    /// Of the field that is meant: another one gets FAILED_PRECONDITION. 0 means whichever has the
    /// name.
    public var identity: UInt64
    /// Tell of each cell the tier that its page came from.
    public var withTiers: Bool
    /// Answer, and name the cells that are missing, where a shard does not; else that is an error.
    public var allowsPartial: Bool
    /// The call is one window of a larger read, which knows itself whether anything was there: all
    /// of the window's cells may be missing.
    package var isWindow = false

    public init(
        maxTier: Tier? = nil, identity: UInt64 = 0, withTiers: Bool = false,
        allowsPartial: Bool = false
    ) {
        self.maxTier = maxTier
        self.identity = identity
        self.withTiers = withTiers
        self.allowsPartial = allowsPartial
    }
}

/// Reads of cells.
extension LociClient {
    /// Cells `range.lowerBound` up to, not including, `range.upperBound`. Large ranges travel as
    /// several requests; each is consistent in itself.
    /// - Parameter maxTier: Cells in slower tiers are skipped, and named in the answer.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT when a cell lies outside of the field.
    public func read(
        _ field: String, range: Range<CellIndex>, maxTier: Tier? = nil
    ) async throws(LociError) -> Cells {
        try await read(field, range: range, options: ReadOptions(maxTier: maxTier))
    }

    /// The same with options.
    /// - Throws: FAILED_PRECONDITION when the field is not the one whose identity is given;
    ///   UNAVAILABLE or DEADLINE_EXCEEDED when a shard does not answer; where partial answers are
    ///   allowed, UNAVAILABLE when all cells of the call are missing.
    public func read(
        _ field: String, range: Range<CellIndex>, options: ReadOptions
    ) async throws(LociError) -> Cells {
        try await read(try await reading(field, .range(range), options))
    }

    /// Scattered cells, answered in the order asked for; duplicates are welcome and cost little.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT when a cell lies outside of the field.
    public func read(
        _ field: String, cells: [CellIndex], maxTier: Tier? = nil
    ) async throws(LociError) -> Cells {
        try await read(field, cells: cells, options: ReadOptions(maxTier: maxTier))
    }

    /// The same with options; see `read(_:range:options:)`.
    public func read(
        _ field: String, cells: [CellIndex], options: ReadOptions
    ) async throws(LociError) -> Cells {
        try await read(try await reading(field, .scattered(cells), options))
    }

    /// Scattered cells into memory of the caller's, in the order asked for. They are copied once,
    /// from where the socket put them.
    /// - Parameter buffer: Room for all cells; bytes behind them stay as they are. After an error
    ///   some cells may have been written.
    /// - Throws: As `read(_:range:options:)`; INVALID_ARGUMENT when the buffer is too small.
    public func read(
        _ field: String, cells: [CellIndex], into buffer: inout MutableRawSpan,
        options: ReadOptions = ReadOptions()
    ) async throws(LociError) -> CellsRead {
        try await read(try await reading(field, .scattered(cells), options), into: &buffer)
    }

    /// What a read of cells consists of; `cellBytes` if it is known already.
    func reading(
        _ field: String, _ cells: CellNames, _ options: ReadOptions, cellBytes: Int? = nil
    ) async throws(LociError) -> CellsReading {
        var known = cellBytes
        if known == nil { known = try await self.cellBytes(of: field) }
        let count = try cells.count()
        return CellsReading(
            field: field, cells: cells, options: options, cellBytes: known!,
            parts: Chunks.ranges(
                count: count, itemBytes: known!, itemLimit: Limits.cellsPerRequest))
    }

    func read(_ reading: CellsReading) async throws(LociError) -> Cells {
        let answers = try await forgetting(reading.field) { () async throws(LociError) in
            try await Chunks.run(reading.parts) { part async throws(LociError) in
                try await self.gather(reading, part)
            }
        }
        let read = try CellsRead(answers.map { CellsRead($0) }).checked(for: reading)
        return Cells(GatheredCells.joined(answers), read)
    }

    func read(
        _ reading: CellsReading, into buffer: inout MutableRawSpan
    ) async throws(LociError) -> CellsRead {
        let needed = reading.cellBytes * (reading.parts.last?.upperBound ?? 0)
        guard buffer.byteCount >= needed else {
            throw LociError(
                .invalidArgument,
                "The buffer has \(buffer.byteCount) bytes; the cells take \(needed).",
                advice: "Give room for all cells.")
        }
        var answers: [CellsRead] = []
        // A few requests at a time: what has come is copied before more is asked for.
        for start in stride(from: 0, to: reading.parts.count, by: Chunks.inFlight) {
            let end = min(start + Chunks.inFlight, reading.parts.count)
            let parts = Array(reading.parts[start..<end])
            let gathered = try await forgetting(reading.field) { () async throws(LociError) in
                try await Chunks.run(parts) { part async throws(LociError) in
                    try await self.gather(reading, part)
                }
            }
            for (part, cells) in zip(parts, gathered) {
                cells.copy(to: &buffer, at: part.lowerBound * reading.cellBytes)
                answers.append(CellsRead(cells))
            }
        }
        return try CellsRead(answers).checked(for: reading)
    }

    private func gather(
        _ reading: CellsReading, _ part: Range<Int>
    ) async throws(LociError) -> GatheredCells {
        let (body, bulk) = reading.request(part)
        let cells = try await ask(.readCells(body), bulk: bulk).cells()
        guard cells.count == part.count, cells.cellBytes == reading.cellBytes else {
            throw changed(reading.field)
        }
        return cells
    }
}

extension CellsRead {
    /// A call of which nothing is there has failed, however it was cut into requests.
    fileprivate func checked(for reading: CellsReading) throws(LociError) -> CellsRead {
        if reading.options.isWindow || missing.count < count || count == 0 { return self }
        throw nothingAnswers(for: reading.field)
    }
}

package func nothingAnswers(for field: String) -> LociError {
    LociError(
        .unavailable, "None of the shards that hold these cells of '\(field)' answers.",
        advice: "`loci status` says which shards are down.")
}

/// Cells as a caller names them.
enum CellNames: Sendable {
    case range(Range<CellIndex>)
    case scattered([CellIndex])

    func count() throws(LociError) -> Int {
        switch self {
        case .scattered(let cells):
            guard !cells.isEmpty else {
                throw LociError(
                    .invalidArgument, "No cells are named.", advice: "Name at least one.")
            }
            return cells.count
        case .range(let range):
            guard !range.isEmpty, let count = Int(exactly: range.upperBound - range.lowerBound)
            else {
                throw LociError(
                    .invalidArgument, "The range \(range) names no cells.",
                    advice: "Write FIRST:END; END itself is not part of the range.")
            }
            return count
        }
    }

    /// First cell and bulk frames of a request for a part of them.
    func frames(_ part: Range<Int>) -> (first: CellIndex, bulk: [Bytes]) {
        switch self {
        case .range(let range): (range.lowerBound + UInt64(part.lowerBound), [])
        case .scattered(let cells): (0, [Bytes(values: Array(cells[part]))])
        }
    }

    var isScattered: Bool {
        if case .scattered = self { true } else { false }
    }
}

/// A read, cut into requests.
struct CellsReading: Sendable {
    let field: String
    let cells: CellNames
    let options: ReadOptions
    let cellBytes: Int
    let parts: [Range<Int>]

    func request(_ part: Range<Int>) -> (ReadCells, [Bytes]) {
        let (first, bulk) = cells.frames(part)
        let body = ReadCells(
            field: field, first: first, count: UInt64(part.count), isScattered: cells.isScattered,
            maxTier: options.maxTier, identity: options.identity, withTiers: options.withTiers,
            allowsPartial: options.allowsPartial)
        return (body, bulk)
    }
}
