import LociBase
import LociPrefetch
import Testing

/// A periodic run: every object is used once a period, one after the other, each use as long as
/// the next; an object that is not there is waited for. Time is virtual.
private struct PeriodicRun {
    static let objects: UInt64 = 1000
    static let periods = 100
    static let bytes: UInt64 = 1 << 20
    static let use: UInt64 = 1_000_000  // nanoseconds
    static let period = use * objects
    static let workingSet = bytes * objects

    var schedule: UseSchedule
    var now: UInt64 = 0
    var stalled: UInt64 = 0
    var most: UInt64 = 0
    var mostInFlight: UInt64 = 0
    private var link: [(object: UInt64, arrival: UInt64)] = []
    private var linkIsFree: UInt64 = 0
    private let transfer: UInt64

    /// - Parameter slowness: transfer time of an object, for one use.
    init(fastShare: Double, slowness: Double) {
        transfer = UInt64(Double(Self.use) * slowness)
        schedule = UseSchedule(
            UseSchedule.Options(
                capacityBytes: UInt64(Double(Self.workingSet) * fastShare),
                bytesPerSecond: UInt64(Double(Self.bytes) / Double(transfer) * 1e9),
                mostBytesInFlight: Self.bytes * 2))
        for object in 0..<Self.objects {
            let isKnown = schedule.expect(
                object, bytes: Self.bytes, at: Instant(nanoseconds: object * Self.use))
            precondition(isKnown)
        }
    }

    mutating func run() {
        for _ in 0..<Self.periods {
            for object in 0..<Self.objects {
                advance(to: now)
                if !schedule.isFast(object) {
                    let start = now
                    if schedule.demand(object) { send(object, at: now) }
                    while !schedule.isFast(object) { advance(to: link[0].arrival) }
                    stalled += now - start
                }
                advance(to: now + Self.use)
                _ = schedule.used(
                    object, nextUse: Instant(nanoseconds: now - Self.use + Self.period),
                    now: Instant(nanoseconds: now))
            }
        }
    }

    private mutating func send(_ object: UInt64, at time: UInt64) {
        linkIsFree = max(linkIsFree, time) + transfer
        link.append((object, linkIsFree))
    }

    private mutating func advance(to end: UInt64) {
        while true {
            var actions: [UseSchedule.Action] = []
            schedule.due(now: Instant(nanoseconds: now), into: &actions)
            for case .promote(let object) in actions { send(object, at: now) }
            most = max(most, schedule.occupiedBytes)
            mostInFlight = max(mostInFlight, schedule.bytesInFlight)
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

@Suite struct UseScheduleTests {
    @Test func aLinkOfAWorkingSetAPeriodLeavesHardlyAStall() {
        var run = PeriodicRun(fastShare: 0.25, slowness: 1)
        run.run()
        let resident = PeriodicRun.period * UInt64(PeriodicRun.periods)
        print("stalls \(Double(run.stalled) / Double(resident)) of the resident run")
        #expect(Double(run.stalled) <= 0.16 * Double(resident))
        #expect(run.most <= PeriodicRun.workingSet / 4)
        #expect(run.mostInFlight <= PeriodicRun.bytes * 2)
    }

    /// With W bytes in the working set, F in the fast tier and B bytes a second on the link: in
    /// each of the n periods all W bytes are used, of which at most F can be there when it begins
    /// (none in the first). So W + (n - 1)(W - F) bytes cross the link, which takes that over B;
    /// the run takes at least as long, and what exceeds n periods P is stall. Here B = W / 2P and
    /// F = W / 4, so the bound is (2 + 1.5 (n - 1)) P - n P, nearly half a period in each.
    @Test func halfTheLinkStallsAsLittleAsAnyScheduleCan() {
        var run = PeriodicRun(fastShare: 0.25, slowness: 2)
        run.run()
        let periods = Double(PeriodicRun.periods)
        let bound = (2 + 1.5 * (periods - 1) - periods) * Double(PeriodicRun.period)
        print("stalls \(Double(run.stalled) / bound) of the bound")
        #expect(Double(run.stalled) >= bound * 0.999)
        #expect(Double(run.stalled) <= bound * 1.1)
    }

    @Test func anObjectThatIsUsedAgainSoonStays() {
        var schedule = UseSchedule(
            UseSchedule.Options(
                capacityBytes: 100, bytesPerSecond: 1_000_000, mostBytesInFlight: 25))
        let isKnown = schedule.expect(1, bytes: 20, at: .zero)
        #expect(isKnown)
        var actions: [UseSchedule.Action] = []
        schedule.due(now: .zero, into: &actions)
        #expect(actions == [.promote(1)])
        schedule.arrived(1)
        // 20 bytes behind 100 others are 120 us away.
        let now = Instant(nanoseconds: 1_000_000)
        let soon = schedule.used(1, nextUse: now.advanced(microseconds: 119), now: now)
        #expect(soon == nil)
        // Room for transfers is all there is, so that none is left to keep it in.
        let late = schedule.used(1, nextUse: now.advanced(microseconds: 1000), now: now)
        #expect(late == .demote(1))
        #expect(schedule.nextDue(now: now) == now.advanced(microseconds: 880))
        #expect(schedule.occupiedBytes == 0)
    }

    @Test func moreObjectsThanTheLimitAreRefused() {
        var options = UseSchedule.Options(
            capacityBytes: 100, bytesPerSecond: 1_000_000, mostBytesInFlight: 25)
        options.mostObjects = 2
        var schedule = UseSchedule(options)
        let areKnown = (1...3).map { schedule.expect($0, bytes: 20, at: .zero) }
        #expect(areKnown == [true, true, false])
    }
}
