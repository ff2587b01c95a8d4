import LociBase
import LociPrefetch

/// A periodic run in virtual time whose moves `UseSchedule` decides, as in training: every object
/// is used once a period, one after the other, each use as long as the next; an object that is not
/// in the fast tier is waited for.
///
/// The bound: with W bytes in the working set, F in the fast tier and B bytes a second on the link,
/// all W bytes are used in each of the n periods P, of which at most F can be there when a period
/// begins (none in the first). So W + (n - 1)(W - F) bytes cross the link, which takes that over B;
/// the run takes at least as long, and at least n P. What exceeds n P is stall.
public struct PeriodicTrial: Sendable {
    public struct Options: Sendable {
        public var objects: UInt64 = 1000
        public var periods: UInt64 = 100
        /// Of the working set, from 0 to 1.
        public var fastShare = 0.25
        /// Working sets that the link moves in a period, more than 0.
        public var linkShare = 1.0

        public init() {}
    }

    public struct Result: Sendable {
        /// Of the time that the run would take with everything in the fast tier.
        public let stallShare: Double
        /// The least that any schedule could stall, as a share of the same time.
        public let boundShare: Double
        public let mostFastBytes: UInt64
        public let mostBytesInFlight: UInt64
        public let workingSetBytes: UInt64
    }

    private static let bytes: UInt64 = 1 << 20
    private static let useNanoseconds: UInt64 = 1_000_000

    private let options: Options
    private let transfer: UInt64
    private var schedule: UseSchedule
    private var now: UInt64 = 0
    private var stalled: UInt64 = 0
    private var mostFastBytes: UInt64 = 0
    private var mostBytesInFlight: UInt64 = 0
    private var link: [(object: UInt64, arrival: UInt64)] = []
    private var linkIsFree: UInt64 = 0

    public init(_ options: Options) {
        precondition(options.objects > 0 && options.periods > 0)
        precondition((0...1).contains(options.fastShare) && options.linkShare > 0)
        self.options = options
        transfer = UInt64(Double(Self.useNanoseconds) / options.linkShare)
        let workingSet = Double(Self.bytes * options.objects)
        schedule = UseSchedule(
            UseSchedule.Options(
                capacityBytes: max(2 * Self.bytes, UInt64(workingSet * options.fastShare)),
                bytesPerSecond: UInt64(Double(Self.bytes) / Double(transfer) * 1e9),
                mostBytesInFlight: 2 * Self.bytes))
        for object in 0..<options.objects {
            let isKnown = schedule.expect(
                object, bytes: Self.bytes,
                at: Instant(nanoseconds: object * Self.useNanoseconds))
            precondition(isKnown, "a schedule takes on a million objects")
        }
    }

    public mutating func run() -> Result {
        let period = Self.useNanoseconds * options.objects
        for _ in 0..<options.periods {
            for object in 0..<options.objects { use(object, period) }
        }
        let resident = Double(period * options.periods)
        let periods = Double(options.periods)
        let crossing = (1 + (periods - 1) * (1 - options.fastShare)) / options.linkShare
        return Result(
            stallShare: Double(stalled) / resident,
            boundShare: max(0, crossing - periods) / periods, mostFastBytes: mostFastBytes,
            mostBytesInFlight: mostBytesInFlight, workingSetBytes: Self.bytes * options.objects)
    }

    private mutating func use(_ object: UInt64, _ period: UInt64) {
        advance(to: now)
        if !schedule.isFast(object) {
            let start = now
            if schedule.demand(object) { send(object) }
            while !schedule.isFast(object) { advance(to: link[0].arrival) }
            stalled += now - start
        }
        advance(to: now + Self.useNanoseconds)
        _ = schedule.used(
            object, nextUse: Instant(nanoseconds: now - Self.useNanoseconds + period),
            now: Instant(nanoseconds: now))
    }

    private mutating func send(_ object: UInt64) {
        linkIsFree = max(linkIsFree, now) + transfer
        link.append((object, linkIsFree))
    }

    private mutating func advance(to end: UInt64) {
        while true {
            var actions: [UseSchedule.Action] = []
            schedule.due(now: Instant(nanoseconds: now), into: &actions)
            for case .promote(let object) in actions { send(object) }
            mostFastBytes = max(mostFastBytes, schedule.occupiedBytes)
            mostBytesInFlight = max(mostBytesInFlight, schedule.bytesInFlight)
            let due = schedule.nextDue(now: Instant(nanoseconds: now))?.nanoseconds ?? .max
            let next = min(link.first?.arrival ?? .max, due)
            guard next <= end else { break }
            now = max(now, next)
            if let first = link.first, first.arrival <= now {
                schedule.arrived(first.object)
                link.removeFirst()
            }
        }
        now = max(now, end)
    }
}
