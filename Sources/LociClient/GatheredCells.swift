import LociBase
import LociModel
import LociWire

/// Cells as they came: in one answer's order, or in the answers of several shards, still where the
/// sockets put them. They are copied once, to where they are wanted.
///
/// Invariants:
/// - Every source lies within its part.
struct GatheredCells: Sendable {
    let cellBytes: Int
    let parts: [Bytes]
    /// Nil: one part, in the order asked for.
    let sources: [CellSource]?
    let receipt: Receipt
    /// Positions, ascending.
    let skipped: [Int]
    let missing: [Int]
    /// For each cell `Tier.rawValue` + 1, or 0 if unknown; empty if not asked for.
    let tiers: [UInt8]

    var count: Int { sources?.count ?? (cellBytes == 0 ? 0 : parts[0].count / cellBytes) }

    /// One coordinator's answer.
    init(_ message: Message) throws(LociError) {
        let shape = try CellsShape(message)
        cellBytes = shape.cellBytes
        parts = [message.bulk[0]]
        sources = nil
        receipt = shape.receipt
        skipped = shape.skipped
        missing = shape.missing
        tiers = shape.tiers
    }

    /// The answers of all shards of a plan, in the order of its parts.
    /// - Throws: INTERNAL when one does not answer what it was asked.
    init(
        _ answers: [Message], _ plan: CellPlan, cellBytes: Int, took microseconds: UInt64
    ) throws(LociError) {
        var shapes: [CellsShape] = []
        var receipt = Receipt()
        receipt.shardsAsked = UInt32(answers.count)
        receipt.totalMicroseconds = microseconds
        for (part, answer) in answers.enumerated() {
            let shape = try CellsShape(answer)
            guard shape.count == plan.cells[part].count, shape.cellBytes == cellBytes,
                shape.missing.isEmpty
            else { throw unexpected(answer) }
            receipt.add(shard: shape.receipt)
            shapes.append(shape)
        }
        self.cellBytes = cellBytes
        parts = answers.map { $0.bulk[0] }
        sources = plan.sources
        self.receipt = receipt
        missing = []
        if shapes.allSatisfy(\.skipped.isEmpty) {
            skipped = []
        } else {
            let sets = shapes.map { Set($0.skipped) }
            skipped = plan.sources.indices.filter {
                sets[Int(plan.sources[$0].part)].contains(Int(plan.sources[$0].index))
            }
        }
        tiers =
            shapes.allSatisfy { $0.tiers.count == $0.count }
            ? plan.sources.map { shapes[Int($0.part)].tiers[Int($0.index)] } : []
    }

    /// In the order asked for, in one piece.
    func joined() -> Bytes {
        guard sources != nil else { return parts[0] }
        return unsafe Bytes(uninitialized: count * cellBytes) { unsafe copy(to: $0) }
    }

    /// Several answers, one after the other in one piece.
    static func joined(_ answers: [GatheredCells]) -> Bytes {
        if answers.count == 1 { return answers[0].joined() }
        let byteCount = answers.reduce(0) { $0 + $1.count * $1.cellBytes }
        return unsafe Bytes(uninitialized: byteCount) { target in
            var position = 0
            for answer in answers {
                let end = position + answer.count * answer.cellBytes
                unsafe answer.copy(
                    to: UnsafeMutableRawBufferPointer(rebasing: target[position..<end]))
                position = end
            }
        }
    }

    /// Copies all cells to `offset` of the target.
    func copy(to target: inout MutableRawSpan, at offset: Int) {
        precondition(offset >= 0 && offset + count * cellBytes <= target.byteCount)
        unsafe target.withUnsafeMutableBytes { bytes in
            unsafe copy(
                to: UnsafeMutableRawBufferPointer(
                    rebasing: bytes[offset..<(offset + count * cellBytes)]))
        }
    }

    private func copy(to target: UnsafeMutableRawBufferPointer) {
        guard let base = target.baseAddress else { return }
        guard let sources else {
            return unsafe parts[0].withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
        // The storage behind each part stays where it is while `parts` holds it.
        let origins = unsafe parts.map { part in unsafe part.withUnsafeBytes { unsafe $0 } }
        withExtendedLifetime(parts) {
            for (position, place) in sources.enumerated() {
                let origin = unsafe origins[Int(place.part)]
                let start = Int(place.index) * cellBytes
                precondition(start + cellBytes <= origin.count)
                guard let from = origin.baseAddress else { continue }
                unsafe (base + position * cellBytes).copyMemory(
                    from: from + start, byteCount: cellBytes)
            }
        }
    }

    /// As the message that a coordinator would have answered.
    func message(_ header: Header) -> Message {
        var frames = [
            joined(), Bytes(values: skipped.map { UInt32($0) }), Bytes(tiers),
            Bytes(values: missing.map { UInt32($0) }),
        ]
        while frames.count > 1, frames[frames.count - 1].isEmpty { frames.removeLast() }
        return Message(
            header,
            .cells(
                CellsAnswer(cellBytes: UInt32(cellBytes), count: UInt64(count), receipt: receipt)),
            bulk: frames)
    }
}

/// What a `cells` answer says beside the cells, checked against their number.
private struct CellsShape {
    let cellBytes: Int
    let count: Int
    let receipt: Receipt
    let skipped: [Int]
    let tiers: [UInt8]
    let missing: [Int]

    init(_ message: Message) throws(LociError) {
        guard case .cells(let answer) = message.body, (1...4).contains(message.bulk.count),
            answer.cellBytes > 0, let count = Int(exactly: answer.count),
            count <= Limits.frameBytes,
            message.bulk[0].count == Int(answer.cellBytes) * count
        else { throw unexpected(message) }
        cellBytes = Int(answer.cellBytes)
        self.count = count
        receipt = answer.receipt
        func positions(_ frame: Int) -> [Int] {
            message.bulk.count > frame
                ? message.bulk[frame].values(UInt32.self).map { Int(UInt32(littleEndian: $0)) } : []
        }
        skipped = positions(1)
        missing = positions(3)
        tiers = message.bulk.count > 2 ? message.bulk[2].array : []
        guard tiers.isEmpty || tiers.count == count,
            skipped.last ?? -1 < count, missing.last ?? -1 < count
        else { throw unexpected(message) }
    }
}
