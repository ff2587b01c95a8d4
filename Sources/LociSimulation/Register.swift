/// What a register (a cell, a point) may hold, as far as its clients can know.
///
/// Invariants:
/// - A write is superseded by another that began after it had ended and was acknowledged. What is
///   not superseded may be there: overlapping writes may have been applied in either order, and
///   writes without an answer at all or not at all, but not after they were given up.
/// - A read is right if its result was possible at some moment between its start and its end.
/// - Values are never used twice, except "nothing" (0).
struct Register {
    private struct Write {
        let value: UInt64
        let started: Int
        var ended: Int?
    }

    private var writes = [Write(value: 0, started: 0, ended: 0)]
    private var readers: [UInt64: Set<UInt64>] = [:]
    private var moment = 0

    var possible: Set<UInt64> { Set(writes.map(\.value)) }

    /// Whether a read can have one result only.
    var isCertain: Bool { writes.count == 1 && writes[0].ended != nil }

    mutating func writeStarted(_ value: UInt64) {
        moment += 1
        writes.append(Write(value: value, started: moment, ended: nil))
        for reader in readers.keys { readers[reader]!.insert(value) }
    }

    /// Everything that had ended before this write began is gone.
    mutating func writeAcknowledged(_ value: UInt64) {
        moment += 1
        guard let index = index(of: value) else { return }
        let started = writes[index].started
        writes[index].ended = moment
        writes.removeAll { $0.ended.map { $0 < started } ?? false }
    }

    /// The write may have happened or not; after this it does not happen any more.
    mutating func writeUnknown(_ value: UInt64) {
        moment += 1
        guard let index = index(of: value) else { return }
        writes[index].ended = moment
    }

    mutating func readStarted(_ reader: UInt64) { readers[reader] = possible }

    /// - Returns: Whether the result is one that can be.
    mutating func readEnded(_ reader: UInt64, result: UInt64) -> Bool {
        readers.removeValue(forKey: reader)?.contains(result) ?? false
    }

    mutating func readFailed(_ reader: UInt64) { readers[reader] = nil }

    private func index(of value: UInt64) -> Int? {
        writes.firstIndex { $0.value == value && $0.ended == nil }
    }
}
