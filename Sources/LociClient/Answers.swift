public import LociBase
public import LociModel
import LociWire

/// Cells in the order asked for, duplicates included.
public struct Cells: Equatable, Sendable {
    public let bytes: Bytes
    public let cellBytes: Int
    public let receipt: Receipt
    /// Positions of cells that were skipped because they lie in slower tiers than was allowed,
    /// ascending; their bytes are zero.
    public let skipped: [Int]
    /// Positions of cells whose shard did not answer, ascending; their bytes are 0xFF. Empty unless
    /// a partial answer was allowed.
    public let missing: [Int]
    /// Of each cell the tier that its page came from, nil where that is not known; empty unless
    /// asked for.
    public let tiers: [Tier?]

    public var count: Int { cellBytes == 0 ? 0 : bytes.count / cellBytes }

    /// One cell by its position in the answer.
    public subscript(index: Int) -> Bytes {
        bytes.slice((index * cellBytes)..<((index + 1) * cellBytes))
    }
}

/// What is to be known of cells that were read into a buffer of the caller's; see `Cells`.
public struct CellsRead: Equatable, Sendable {
    public let count: Int
    public let cellBytes: Int
    public let receipt: Receipt
    public let skipped: [Int]
    public let missing: [Int]
    public let tiers: [Tier?]

    /// Of answers to parts of a call, in the order of the parts.
    init(_ answers: [CellsRead]) {
        count = answers.reduce(0) { $0 + $1.count }
        cellBytes = answers.first?.cellBytes ?? 0
        receipt = .sum(answers.map(\.receipt))
        var skipped: [Int] = []
        var missing: [Int] = []
        var start = 0
        for answer in answers {
            skipped += answer.skipped.map { start + $0 }
            missing += answer.missing.map { start + $0 }
            start += answer.count
        }
        self.skipped = skipped
        self.missing = missing
        let hasTiers = answers.allSatisfy { $0.tiers.count == $0.count }
        tiers = hasTiers ? answers.flatMap(\.tiers) : []
    }

    init(_ cells: GatheredCells) {
        count = cells.count
        cellBytes = cells.cellBytes
        receipt = cells.receipt
        skipped = cells.skipped
        missing = cells.missing
        tiers = cells.tiers.map { $0 == 0 ? nil : Tier(rawValue: $0 - 1) }
    }
}

/// How many things were done, and what that cost.
public struct Outcome: Equatable, Sendable {
    public let count: UInt64
    public let receipt: Receipt

    public init(count: UInt64, receipt: Receipt) {
        self.count = count
        self.receipt = receipt
    }

    /// Whether some shard that should have taken part did not answer.
    public var isDegraded: Bool { !receipt.isComplete }
}

/// A point as it is stored.
public struct Point: Equatable, Sendable {
    public let id: PointID
    public let version: UInt64
    /// JSON, or empty.
    public let payload: String
    /// Empty unless asked for.
    public let vector: [Float]
}

/// Points by id.
public struct Points: Equatable, Sendable {
    public let points: [Point]
    public let receipt: Receipt
    /// There are more from the last id on.
    public let hasMore: Bool
    /// Some shard did not answer: points may be missing.
    public let isDegraded: Bool
}

/// A point that was found, and how near it is: see `Metric` for what a score means.
public struct Match: Equatable, Sendable {
    public let point: Point
    public let score: Float

    public var id: PointID { point.id }
}

/// What a query found, best first.
public struct Matches: Equatable, Sendable {
    public let matches: [Match]
    public let receipt: Receipt
    /// Some shard did not answer: there may be nearer points.
    public let isDegraded: Bool
    /// Fewer than k points exist that pass the filter.
    public let isExhausted: Bool
}

/// A pattern that was restored from what a collection holds.
public struct Completion: Equatable, Sendable {
    public let vector: [Float]
    /// Steps that were taken.
    public let steps: Int
    /// The last step moved nothing: the pattern is a fixed point.
    public let hasConverged: Bool
    /// How well the vector that was asked with is known: 1 for a stored one, falling with noise,
    /// 0 where nothing is like it.
    public let familiarity: Float
    /// Inverse temperature that was used.
    public let beta: Float
    public let receipt: Receipt
    /// Some shard did not answer: what it holds had no part in it.
    public let isDegraded: Bool
}

extension Outcome {
    init(_ message: Message) throws(LociError) {
        guard case .acknowledged(let answer) = message.body else { throw unexpected(message) }
        self.init(count: answer.count, receipt: answer.receipt)
    }
}

extension Cells {
    init(_ bytes: Bytes, _ read: CellsRead) {
        self.init(
            bytes: bytes, cellBytes: read.cellBytes, receipt: read.receipt, skipped: read.skipped,
            missing: read.missing, tiers: read.tiers)
    }

    init(_ message: Message) throws(LociError) {
        let cells = try GatheredCells(message)
        self.init(cells.joined(), CellsRead(cells))
    }
}

extension Points {
    init(_ message: Message) throws(LociError) {
        guard case .points(let answer) = message.body, message.bulk.count == 5,
            let points = decodePoints(
                count: Int(answer.count), ids: message.bulk[0], versions: message.bulk[1],
                payloadLengths: message.bulk[2], payloads: message.bulk[3],
                vectors: message.bulk[4])
        else { throw unexpected(message) }
        self.init(
            points: points, receipt: answer.receipt, hasMore: answer.hasMore,
            isDegraded: answer.isDegraded || !answer.receipt.isComplete)
    }
}

extension Completion {
    init(_ message: Message) throws(LociError) {
        guard case .completionAnswer(let answer) = message.body, message.bulk.count == 1,
            message.bulk[0].count % 4 == 0
        else { throw unexpected(message) }
        self.init(
            vector: message.bulk[0].values(Float.self), steps: Int(answer.steps),
            hasConverged: answer.hasConverged, familiarity: answer.familiarity, beta: answer.beta,
            receipt: answer.receipt,
            isDegraded: answer.isDegraded || !answer.receipt.isComplete)
    }
}

extension Matches {
    init(_ message: Message) throws(LociError) {
        guard case .matches(let answer) = message.body, message.bulk.count == 6,
            message.bulk[2].count == Int(answer.count) * 4,
            let points = decodePoints(
                count: Int(answer.count), ids: message.bulk[0], versions: message.bulk[1],
                payloadLengths: message.bulk[3], payloads: message.bulk[4],
                vectors: message.bulk[5])
        else { throw unexpected(message) }
        let scores = message.bulk[2].values(Float.self)
        self.init(
            matches: zip(points, scores).map { Match(point: $0, score: $1) },
            receipt: answer.receipt,
            isDegraded: answer.isDegraded || !answer.receipt.isComplete,
            isExhausted: answer.isExhausted)
    }
}

/// Nil when the frames do not fit each other. Payload lengths may be absent as a whole.
private func decodePoints(
    count: Int, ids: Bytes, versions: Bytes, payloadLengths: Bytes, payloads: Bytes,
    vectors: Bytes
) -> [Point]? {
    guard ids.count == count * 8, versions.count == count * 8,
        payloadLengths.isEmpty || payloadLengths.count == count * 4,
        count == 0 || vectors.count % (count * 4) == 0
    else { return nil }
    let dimension = count == 0 ? 0 : vectors.count / (count * 4)
    var points: [Point] = []
    points.reserveCapacity(count)
    var position = 0
    for index in 0..<count {
        let length =
            payloadLengths.isEmpty
            ? 0 : Int(UInt32(littleEndian: payloadLengths.load(at: index * 4)))
        guard length <= payloads.count - position else { return nil }
        let row = (index * dimension * 4)..<((index + 1) * dimension * 4)
        points.append(
            Point(
                id: UInt64(littleEndian: ids.load(at: index * 8)),
                version: UInt64(littleEndian: versions.load(at: index * 8)),
                payload: payloads.slice(position..<(position + length)).string,
                vector: vectors.slice(row).values(Float.self)))
        position += length
    }
    return points
}

extension Receipt {
    /// Adds the receipt of another request of the same call. Work adds up; requests run side by
    /// side, so of times the longest counts; a shard that failed once counts as not having
    /// answered.
    public mutating func add(request other: Receipt) {
        let missing = max(
            shardsAsked - min(shardsAnswered, shardsAsked),
            other.shardsAsked - min(other.shardsAnswered, other.shardsAsked))
        shardsAsked = max(shardsAsked, other.shardsAsked)
        shardsAnswered = shardsAsked - missing
        partitions = max(partitions, other.partitions)
        wholePartitions = max(wholePartitions, other.wholePartitions)
        rounds = max(rounds, other.rounds)
        pagesTouched += other.pagesTouched
        tiers.add(other.tiers)
        bytesRead += other.bytesRead
        vectorsScored += other.vectorsScored
        codesScanned += other.codesScanned
        locationsActive += other.locationsActive
        totalMicroseconds = max(totalMicroseconds, other.totalMicroseconds)
        coordinatorMicroseconds = max(coordinatorMicroseconds, other.coordinatorMicroseconds)
        shardMicroseconds = max(shardMicroseconds, other.shardMicroseconds)
        scoringMicroseconds = max(scoringMicroseconds, other.scoringMicroseconds)
    }

    static func sum(_ receipts: [Receipt]) -> Receipt {
        receipts.dropFirst().reduce(into: receipts.first ?? Receipt()) { $0.add(request: $1) }
    }
}
