/// What a register (a cell, a point) may hold, as far as its clients can know: the value of the last
/// acknowledged write, and of every write whose outcome is not known.
///
/// Invariants:
/// - A read that started and ended is right if its result was possible at some moment in between.
/// - Values are never used twice, except "nothing" (0).
struct Register {
    private(set) var possible: Set<UInt64> = [0]
    private var inFlight: Set<UInt64> = []
    private var readers: [UInt64: Set<UInt64>] = [:]

    /// Whether a read can have one result only.
    var isCertain: Bool { possible.count == 1 && inFlight.isEmpty }

    mutating func writeStarted(_ value: UInt64) {
        inFlight.insert(value)
        possible.insert(value)
        for reader in readers.keys { readers[reader]!.insert(value) }
    }

    /// The value is there now, or that of a write that overlapped.
    mutating func writeAcknowledged(_ value: UInt64) {
        inFlight.remove(value)
        possible = inFlight.union([value])
    }

    /// The write may have happened or not; after this it does not happen any more.
    mutating func writeUnknown(_ value: UInt64) { inFlight.remove(value) }

    mutating func readStarted(_ reader: UInt64) { readers[reader] = possible }

    /// - Returns: Whether the result is one that can be.
    mutating func readEnded(_ reader: UInt64, result: UInt64) -> Bool {
        readers.removeValue(forKey: reader)?.contains(result) ?? false
    }

    mutating func readFailed(_ reader: UInt64) { readers[reader] = nil }
}
