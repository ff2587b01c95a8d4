import LociBase
import LociModel

/// The bulk frames of a message, and what bodies expect of them. Every check throws
/// INVALID_ARGUMENT.
struct BulkFrames {
    private let frames: [Bytes]

    init(_ frames: [Bytes]) { self.frames = frames }

    var count: Int { frames.count }

    subscript(index: Int) -> Bytes { frames[index] }

    func expect(_ count: Int) throws(LociError) {
        guard frames.count == count else {
            throw LociError(
                .invalidArgument,
                "The message has \(frames.count) bulk frames; \(count) belong to it.")
        }
    }

    /// `count` frames, the first made of whole elements.
    func expect(_ count: Int, multipleOf size: Int) throws(LociError) {
        try expect(count)
        guard frames[0].count % size == 0 else {
            throw LociError(
                .invalidArgument,
                "A bulk frame of \(frames[0].count) bytes does not hold elements of \(size) bytes.")
        }
    }

    func expect(_ index: Int, bytes: Int) throws(LociError) {
        guard frames[index].count == bytes else {
            throw LociError(
                .invalidArgument,
                "Bulk frame \(index) has \(frames[index].count) bytes; \(bytes) belong there.")
        }
    }

    /// - Returns: The number of cells that the first of `count` frames names.
    func cells(_ count: Int) throws(LociError) -> Int {
        try expect(count, multipleOf: 8)
        let cells = frames[0].count / 8
        try checkCellCount(UInt64(cells))
        return cells
    }

    /// Cells, then as many values of one size.
    func cellsAndBytes() throws(LociError) {
        try values(1, count: try cells(2))
    }

    /// Frame `index` holds `count` values of one size.
    func values(_ index: Int, count: Int) throws(LociError) {
        let bytes = frames[index].count
        guard bytes > 0, bytes % count == 0 else {
            throw LociError(
                .invalidArgument, "\(bytes) bytes do not hold \(count) cells.",
                advice: "Send the whole of every cell.")
        }
    }

    /// Frame `index` holds positions, ascending.
    func positions(_ index: Int, below count: UInt64) throws(LociError) {
        let positions = frames[index].values(UInt32.self)
        let isAscending = zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 }
        guard frames[index].count % 4 == 0, isAscending,
            positions.last.map({ UInt64($0) < count }) ?? true
        else {
            throw LociError(
                .invalidArgument, "Bulk frame \(index) does not name positions below \(count).")
        }
    }

    func payloads(_ lengths: Int, count: Int) throws(LociError) {
        try PayloadList.check(lengths: frames[lengths], blob: frames[lengths + 1], count: count)
    }

    /// Frame `index` is empty or holds `count` vectors.
    func vectorsIfAny(_ index: Int, count: Int) throws(LociError) {
        if frames[index].isEmpty { return }
        _ = try Vectors.dimension(of: frames[index], count: count)
    }

    func targets(count: Int) throws(LociError) {
        try expect(1)
        _ = try TargetList(encoded: frames[0], count: count)
    }

    func idsAndTargets(optional: Bool) throws(LociError) {
        if optional, frames.count == 1 || frames.count == 2 && frames[1].isEmpty {
            return try expect(frames.count, multipleOf: 8)
        }
        try expect(2, multipleOf: 8)
        _ = try TargetList(encoded: frames[1], count: frames[0].count / 8)
    }

    func pointsToPut() throws(LociError) {
        try expect(5, multipleOf: 8)
        let count = frames[0].count / 8
        try checkPointCount(count)
        try expect(1, bytes: count)
        _ = try Vectors.dimension(of: frames[2], count: count)
        try payloads(3, count: count)
    }

    /// At most `Limits.cellsPerRequest` hints.
    func hints() throws(LociError) {
        try expect(1, multipleOf: PageHint.encodedBytes)
        try checkCellCount(UInt64(frames[0].count / PageHint.encodedBytes))
    }

    func centroids() throws(LociError) {
        try expect(1, multipleOf: 4)
        if let index = Vectors.firstUnusable(in: frames[0]) {
            throw LociError(
                .invalidArgument, "A centroid has a NaN or an infinity, at float \(index).")
        }
    }

    func news() throws(LociError) {
        try expect(4, multipleOf: 4)
        let added = frames[0].count / 4
        try expect(1, bytes: added * 4)
        if added == 0 {
            try expect(2, bytes: 0)
        } else {
            _ = try Vectors.dimension(of: frames[2], count: added)
        }
        guard frames[3].count % 4 == 0 else {
            throw LociError(.invalidArgument, "The removed hard locations are not whole numbers.")
        }
    }
}
