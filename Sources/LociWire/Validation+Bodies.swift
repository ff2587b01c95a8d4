import LociBase
import LociModel

extension CreateField {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(name)
        try frames.expect(0)
        guard (2...Limits.axes).contains(shape.count) else {
            throw LociError(
                .invalidArgument, "A field has 2 to \(Limits.axes) axes, not \(shape.count).",
                advice: "Write --shape CELLSxELEMENTS, such as 1000000x264.")
        }
    }
}

extension ReadCells {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(field)
        try checkNamedCells(first: first, count: count, isScattered: isScattered, frames)
    }
}

extension PrefetchCells {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(field)
        try checkNamedCells(first: first, count: count, isScattered: isScattered, frames)
        guard ticket != 0 else {
            throw LociError(.invalidArgument, "A prefetch needs a ticket: a number but 0.")
        }
    }
}

extension ReleaseCells {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(field)
        try checkNamedCells(first: first, count: count, isScattered: isScattered, frames)
    }
}

private func checkNamedCells(
    first: CellIndex, count: UInt64, isScattered: Bool, _ frames: BulkFrames
) throws(LociError) {
    try checkCells(first: first, count: count)
    if isScattered {
        try frames.expect(1)
        try frames.expect(0, bytes: Int(count) * 8)
    } else {
        try frames.expect(0)
    }
}

extension WriteCells {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(field)
        try checkCells(first: first, count: count)
        if isScattered {
            try frames.expect(2)
            try frames.expect(0, bytes: Int(count) * 8)
            try frames.values(1, count: Int(count))
        } else {
            try frames.expect(1)
            try frames.values(0, count: Int(count))
        }
    }
}

/// The end of the range must be a number, too.
private func checkCells(first: CellIndex, count: UInt64) throws(LociError) {
    try checkCellCount(count)
    guard !first.addingReportingOverflow(count).overflow else {
        throw LociError(.invalidArgument, "Cell \(first) lies outside of every field.")
    }
}

extension Upsert {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(collection)
        let count = Int(count)
        try checkPointCount(count)
        try frames.expect(isText ? 5 : 4)
        try frames.expect(0, bytes: count * 8)
        if isText {
            try frames.payloads(1, count: count)
            try frames.payloads(3, count: count)
        } else {
            _ = try Vectors.dimension(of: frames[1], count: count)
            try frames.payloads(2, count: count)
        }
    }
}

extension Query {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(collection)
        try checkNeighbours(k)
        try RecallSetting.check(recall: recall)
        try RecallSetting.check(radius: radius)
        try checkFilter(filter)
        guard text.isEmpty else {
            guard text.utf8.count <= Limits.payloadBytes else {
                throw LociError(
                    .invalidArgument,
                    "A question of \(text.utf8.count) bytes is over the limit of "
                        + "\(Limits.payloadBytes).",
                    advice: "Ask with fewer words.")
            }
            return try frames.expect(0)
        }
        try frames.expect(1)
        _ = try Vectors.dimension(of: frames[0], count: 1)
    }
}

extension Scroll {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(collection)
        try checkPointCount(Int(limit))
        try frames.expect(0)
    }
}

extension CellsAnswer {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try frames.expect(min(max(frames.count, 1), 4))
        let (bytes, overflow) = count.multipliedReportingOverflow(by: UInt64(cellBytes))
        guard !overflow, bytes == UInt64(frames[0].count) else {
            throw LociError(
                .invalidArgument,
                "\(frames[0].count) bytes are not \(count) cells of \(cellBytes) bytes.")
        }
        if frames.count > 1 { try frames.positions(1, below: count) }
        if frames.count > 2, !frames[2].isEmpty { try frames.expect(2, bytes: Int(count)) }
        if frames.count > 3 { try frames.positions(3, below: count) }
    }
}

extension MatchesAnswer {
    func validate(_ frames: BulkFrames) throws(LociError) {
        guard wholePartitions.count <= Limits.partitions else {
            throw LociError(
                .invalidArgument,
                "\(wholePartitions.count) partitions are over the limit of \(Limits.partitions).")
        }
        try frames.expect(6)
        let count = Int(count)
        try frames.expect(0, bytes: count * 8)
        try frames.expect(1, bytes: count * 8)
        try frames.expect(2, bytes: count * 4)
        try frames.payloads(3, count: count)
        try frames.vectorsIfAny(5, count: count)
    }
}

extension PointsAnswer {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try frames.expect(5)
        let count = Int(count)
        try frames.expect(0, bytes: count * 8)
        try frames.expect(1, bytes: count * 8)
        try frames.payloads(2, count: count)
        try frames.vectorsIfAny(4, count: count)
    }
}

extension ShardQuery {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkNeighbours(k)
        try checkFilter(filter)
        guard bound >= 0 else {
            throw LociError(.invalidArgument, "A bound of \(bound) deviations is not possible.")
        }
        guard (0...1).contains(selectiveShare) else {
            throw LociError(
                .invalidArgument, "A selective share of \(selectiveShare) is not possible.")
        }
        try frames.vectorAndLocations()
    }
}

private func checkFilter(_ filter: String) throws(LociError) {
    guard filter.utf8.count <= Limits.filterBytes else {
        throw LociError(
            .invalidArgument,
            "A filter of \(filter.utf8.count) bytes is over the limit of \(Limits.filterBytes).",
            advice: "Ask several times, with a part of the list each.")
    }
}

extension ShardScroll {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try frames.expect(0)
        guard limit >= 1, limit <= UInt32(Limits.cellsPerRequest) else {
            throw LociError(.invalidArgument, "A scroll of \(limit) points is not possible.")
        }
    }
}
