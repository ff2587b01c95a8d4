import LociBase
import LociPrefetch
import Testing

@Suite struct UseScheduleTests {
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
