/// What became of pages that were fetched before they were asked for. Every page that was fetched
/// ends as one of `used`, `late` or `wasted`.
public struct PrefetchTally: Equatable, Sendable {
    /// Pages whose fetch was begun.
    public var issued: UInt64 = 0
    /// Pages that were there when they were first asked for.
    public var used: UInt64 = 0
    /// Pages that were still on their way when they were first asked for.
    public var late: UInt64 = 0
    /// Pages that nobody had asked for when they left memory, or that could not be fetched.
    public var wasted: UInt64 = 0
    /// Pages that were not fetched: their time was up, they were cancelled, or there was no room.
    public var dropped: UInt64 = 0
    /// Bytes that were fetched.
    public var bytes: UInt64 = 0

    public init() {}

    /// Pages that were fetched and whose fate is open.
    public var open: UInt64 { issued &- used &- late &- wasted }

    /// Share of the pages whose fate is known that were asked for; 1 if none is known.
    public var precision: Double {
        let known = used + late + wasted
        return known == 0 ? 1 : Double(used + late) / Double(known)
    }

    /// Share of the pages that were asked for that were there in time; 1 if none was.
    public var timeliness: Double {
        used + late == 0 ? 1 : Double(used) / Double(used + late)
    }

    public mutating func add(_ other: PrefetchTally) {
        issued += other.issued
        used += other.used
        late += other.late
        wasted += other.wasted
        dropped += other.dropped
        bytes += other.bytes
    }
}
