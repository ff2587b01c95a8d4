public import LociBase
public import LociModel

/// What moves between the ssd tier and the hdd tier, and when.
///
/// Space decides when: beyond a high mark of the ssd tier extents go, the coldest first, down to a
/// low mark, so that there is room before it is needed (TPP, ASPLOS 2023, section 4). Use decides
/// what: an extent comes back when it was asked for twice since it went, and is used more than the
/// coldest that is there. Which heat is cold is read from a histogram of what the ssd tier holds
/// (Memtis, SOSP 2023, section 4.2).
///
/// Invariants:
/// - A round moves no more bytes than its budget, and never plans the ssd tier beyond its high mark
///   or the hdd tier beyond its capacity.
/// - What moved less than `restMicroseconds` ago does not move.
/// - What is remembered is bounded by `mostRemembered` extents, plus those of one round.
public struct Migration: Sendable {
    public struct Settings: Equatable, Sendable {
        public var ssdCapacity: UInt64
        public var hddCapacity: UInt64
        /// Parts of the ssd tier's capacity, in 1/1000.
        public var highMark: UInt64 = 960
        public var lowMark: UInt64 = 920
        /// How long an extent stays where it has come to.
        public var restMicroseconds: UInt64 = 60_000_000

        public init(ssdCapacity: UInt64, hddCapacity: UInt64) {
            self.ssdCapacity = ssdCapacity
            self.hddCapacity = hddCapacity
        }

        var highBytes: UInt64 { Self.part(highMark, of: ssdCapacity) }
        var lowBytes: UInt64 { Self.part(lowMark, of: ssdCapacity) }

        private static func part(_ thousandths: UInt64, of bytes: UInt64) -> UInt64 {
            bytes / 1000 * thousandths + bytes % 1000 * thousandths / 1000
        }
    }

    /// An extent as it is now.
    public struct Candidate: Equatable, Sendable {
        public let extent: ExtentAddress
        /// Bytes of its pages on each tier, not compressed.
        public let ssdBytes: UInt64
        public let hddBytes: UInt64
        public let heat: UInt8
        /// Times that its cold pages were asked for since the last round.
        public let coldReads: Int

        public init(
            extent: ExtentAddress, ssdBytes: UInt64, hddBytes: UInt64, heat: UInt8,
            coldReads: Int = 0
        ) {
            self.extent = extent
            self.ssdBytes = ssdBytes
            self.hddBytes = hddBytes
            self.heat = heat
            self.coldReads = coldReads
        }
    }

    /// What tiers take.
    public struct Occupancy: Equatable, Sendable {
        public var ssdBytes: UInt64
        public var hddBytes: UInt64

        public init(ssdBytes: UInt64, hddBytes: UInt64) {
            self.ssdBytes = ssdBytes
            self.hddBytes = hddBytes
        }
    }

    /// One round's moves, in their order: first what comes back, then what goes.
    public struct Plan: Equatable, Sendable {
        public var promote: [ExtentAddress] = []
        public var demote: [ExtentAddress] = []
        /// Whether extents should have gone, and the hdd tier has no room for them.
        public var isHDDFull = false
    }

    private struct Memory: Sendable {
        var coldReads = 0
        var movedAt: Instant?
        var lastUse: UInt64 = 0
    }

    public static let mostRemembered = 1 << 16
    /// Reads of a cold extent that bring it back.
    static let touchesToReturn = 2
    /// How much hotter than the coldest warm extents it has to be.
    static let heatMargin = 2

    public var settings: Settings
    private var remembered: [ExtentAddress: Memory] = [:]
    private var clock: UInt64 = 0
    /// Whether extents go until the low mark is reached.
    private var isDraining = false
    private var histogram = HeatHistogram()
    /// Of the turn over all extents that is under way.
    private var nextHistogram = HeatHistogram()
    private var hasTurned = false

    public init(_ settings: Settings) { self.settings = settings }

    /// All extents were candidates once since the last call.
    public mutating func endTurn() {
        histogram = nextHistogram
        nextHistogram = HeatHistogram()
        hasTurned = true
    }

    /// - Parameters:
    ///   - candidates: A part of all extents, in the order of a turn over all, and those that were
    ///     read from the hdd tier. One that appears twice counts once.
    ///   - budgetBytes: The most that may move now.
    public mutating func plan(
        _ candidates: [Candidate], _ occupancy: Occupancy, budgetBytes: UInt64, at now: Instant
    ) -> Plan {
        let candidates = merged(candidates)
        for candidate in candidates { note(candidate) }
        var plan = Plan()
        var budget = budgetBytes
        var occupancy = occupancy
        promote(candidates, &occupancy, &budget, at: now, into: &plan)
        if occupancy.ssdBytes > settings.highBytes { isDraining = true }
        demote(candidates, &occupancy, &budget, at: now, into: &plan)
        if occupancy.ssdBytes <= settings.lowBytes { isDraining = false }
        forget()
        return plan
    }

    /// An extent has moved, or cannot: it is left alone for a while.
    public mutating func rest(_ extent: ExtentAddress, at now: Instant) {
        clock += 1
        remembered[extent] = Memory(coldReads: 0, movedAt: now, lastUse: clock)
    }

    private func merged(_ candidates: [Candidate]) -> [Candidate] {
        var seen: Set<ExtentAddress> = []
        return candidates.sorted { ($0.coldReads, $1.extent) > ($1.coldReads, $0.extent) }
            .filter { seen.insert($0.extent).inserted }
    }

    private mutating func note(_ candidate: Candidate) {
        if candidate.ssdBytes > 0 { nextHistogram.add(candidate.ssdBytes, heat: candidate.heat) }
        if candidate.coldReads > 0 {
            clock += 1
            remembered[candidate.extent, default: Memory()].coldReads += candidate.coldReads
            remembered[candidate.extent]!.lastUse = clock
        }
    }

    private func rests(_ extent: ExtentAddress, at now: Instant) -> Bool {
        guard let moved = remembered[extent]?.movedAt else { return false }
        return now.microseconds(since: moved) < settings.restMicroseconds
    }

    /// What the ssd tier holds, as far as it is known.
    private var known: HeatHistogram { hasTurned ? histogram : nextHistogram }

    private mutating func promote(
        _ candidates: [Candidate], _ occupancy: inout Occupancy, _ budget: inout UInt64,
        at now: Instant, into plan: inout Plan
    ) {
        let wanted = candidates.filter { candidate in
            candidate.hddBytes > 0 && !rests(candidate.extent, at: now)
                && remembered[candidate.extent]?.coldReads ?? 0 >= Self.touchesToReturn
        }
        for candidate in wanted.sorted(by: { ($0.heat, $1.extent) > ($1.heat, $0.extent) }) {
            let isRoomy = occupancy.ssdBytes + candidate.hddBytes <= settings.lowBytes
            let coldest = Int(known.coldest ?? 0)
            guard isRoomy || Int(candidate.heat) >= coldest + Self.heatMargin else { continue }
            guard occupancy.ssdBytes + candidate.hddBytes <= settings.highBytes else {
                // Colder ones make room for it in this round and the next.
                isDraining = true
                break
            }
            guard candidate.hddBytes <= budget else { break }
            budget -= candidate.hddBytes
            occupancy.ssdBytes += candidate.hddBytes
            plan.promote.append(candidate.extent)
        }
    }

    private mutating func demote(
        _ candidates: [Candidate], _ occupancy: inout Occupancy, _ budget: inout UInt64,
        at now: Instant, into plan: inout Plan
    ) {
        guard isDraining, occupancy.ssdBytes > settings.lowBytes else { return }
        let excess = occupancy.ssdBytes - settings.lowBytes
        let hottest = known.heat(holding: excess)
        let returned = Set(plan.promote)
        let movable = candidates.filter { candidate in
            candidate.ssdBytes > 0 && candidate.heat <= hottest
                && !rests(candidate.extent, at: now) && !returned.contains(candidate.extent)
        }
        for candidate in movable.sorted(by: { ($0.heat, $0.extent) < ($1.heat, $1.extent) }) {
            guard occupancy.ssdBytes > settings.lowBytes else { return }
            guard candidate.ssdBytes <= budget else { return }
            guard occupancy.hddBytes + candidate.ssdBytes <= settings.hddCapacity else {
                plan.isHDDFull = true
                return
            }
            budget -= candidate.ssdBytes
            occupancy.ssdBytes -= min(occupancy.ssdBytes, candidate.ssdBytes)
            occupancy.hddBytes += candidate.ssdBytes
            plan.demote.append(candidate.extent)
        }
    }

    /// The longest unused go first.
    private mutating func forget() {
        guard remembered.count > Self.mostRemembered else { return }
        let uses = remembered.values.map(\.lastUse).sorted()
        let oldest = uses[remembered.count - Self.mostRemembered / 2]
        remembered = remembered.filter { $0.value.lastUse >= oldest }
    }
}

/// Bytes by heat.
struct HeatHistogram: Equatable, Sendable {
    private var bytes = [UInt64](repeating: 0, count: 256)

    mutating func add(_ count: UInt64, heat: UInt8) { bytes[Int(heat)] += count }

    /// nil if it is empty.
    var coldest: UInt8? { bytes.firstIndex { $0 > 0 }.map(UInt8.init) }

    /// The least heat up to which there are as many bytes.
    func heat(holding count: UInt64) -> UInt8 {
        var sum: UInt64 = 0
        for (heat, bytes) in bytes.enumerated() {
            sum += bytes
            if sum >= count { return UInt8(heat) }
        }
        return .max
    }
}
