import LociBase
import Testing

@testable import LociPrefetch

@Suite struct StrideDetectorTests {
    @Test(arguments: [1, 7, 1 << 33, -1, -13] as [Int64]) func anyStepIsConfirmedByTwo(
        step: Int64
    ) {
        var detector = StrideDetector()
        let step = UInt64(bitPattern: step)
        var page: UInt64 = 1 << 40
        for number in 0..<100 {
            let run = detector.observe(page)
            // The third page is the second with this step.
            #expect(run?.isConfirmed == (number == 0 ? nil : number >= 2), "page \(number)")
            if number >= 2 { #expect(run?.step == step) }
            page &+= step
        }
    }

    @Test func streamsAreFollowedThroughOneAnother() {
        var detector = StrideDetector(streams: 16)
        var random = SeededRandom(seed: 1)
        var places = (0..<12).map { UInt64($0) << 32 }
        var confirmed = 0
        for _ in 0..<12_000 {
            let stream = random.below(places.count)
            places[stream] &+= stream % 2 == 0 ? 3 : UInt64.max - 1
            let run = detector.observe(places[stream])
            if let run, run.isConfirmed {
                #expect(run.step == (stream % 2 == 0 ? 3 : UInt64.max - 1))
                confirmed += 1
            }
        }
        #expect(confirmed > 11_900)
    }

    @Test func noiseConfirmsNothingAndLeavesAScanAlone() {
        var detector = StrideDetector()
        var random = SeededRandom(seed: 2)
        var wrong = 0
        var right = 0
        for number in 0..<5000 {
            if detector.observe(random.next())?.isConfirmed == true { wrong += 1 }
            if detector.observe(UInt64(number))?.isConfirmed == true { right += 1 }
        }
        #expect(wrong == 0)
        #expect(right == 4998)
    }

    @Test func theOldestUnconfirmedRunGivesWay() {
        var detector = StrideDetector(streams: 2, reach: 8)
        for page in [100, 101, 102] as [UInt64] { _ = detector.observe(page) }
        for page in [1 << 20, 1 << 30, 1 << 40] as [UInt64] { _ = detector.observe(page) }
        #expect(detector.observe(103)?.isConfirmed == true)
    }

    @Test func theSamePageAgainIsNoStep() {
        var detector = StrideDetector()
        for page in [5, 6, 6, 6, 7] as [UInt64] { _ = detector.observe(page) }
        let run = detector.observe(8)
        #expect(run == StrideDetector.Run(step: 1, length: 3))
    }
}

@Suite struct SuccessorTableTests {
    @Test func confidenceRisesAndFallsBeforeASuccessorIsReplaced() {
        var table = LastSuccessorTable(entriesLog2: 8)
        #expect(table.successor(of: 1) == nil)
        for expected in [0, 1, 2, 3, 3] as [UInt8] {
            table.learn(1, isFollowedBy: 2)
            #expect(table.successor(of: 1) == SuccessorGuess(page: 2, confidence: expected))
        }
        for expected in [2, 1, 0] as [UInt8] {
            table.learn(1, isFollowedBy: 9)
            #expect(table.successor(of: 1) == SuccessorGuess(page: 2, confidence: expected))
        }
        table.learn(1, isFollowedBy: 9)
        #expect(table.successor(of: 1) == SuccessorGuess(page: 9, confidence: 0))
    }

    /// In a table that is full of them.
    @Test func provenEntriesOutliveOneTimers() {
        var table = LastSuccessorTable(entriesLog2: 7)
        for _ in 0..<8 {
            for page in 0..<120 as Range<UInt64> { table.learn(page, isFollowedBy: page + 7) }
        }
        func known() -> Int {
            (0..<120 as Range<UInt64>).count { table.successor(of: $0)?.page == $0 + 7 }
        }
        let before = known()
        var random = SeededRandom(seed: 1)
        for _ in 0..<50 { table.learn(random.next(), isFollowedBy: 3) }
        #expect(before > 80)
        #expect(known() >= before - 15)
    }

    /// Against a dictionary of everything: what a table says was once learned for that context,
    /// but for tags that meet by chance.
    @Test func aTableSaysWhatItLearned() {
        var table = LastSuccessorTable(entriesLog2: 6)
        var learned: [UInt64: Set<UInt64>] = [:]
        var random = SeededRandom(seed: 2)
        var wrong = 0
        for _ in 0..<20_000 {
            let page = random.next() % 300
            let next = random.next() % 50
            if let guess = table.successor(of: page),
                learned[page]?.contains(guess.page) != true
            {
                wrong += 1
            }
            table.learn(page, isFollowedBy: next)
            learned[page, default: []].insert(next)
        }
        #expect(wrong < 20)
    }

    @Test func patternsOfStepsAreKnownAtNewPlaces() {
        // Steps 1, 1, 5, 1, 1, 5 ...: after one step of 1 nobody knows, after two it is 5.
        var first = MarkovTable(order: 1, entriesLog2: 8)
        var second = MarkovTable(order: 2, entriesLog2: 8)
        var context = StreamContext()
        var page: UInt64 = 1000
        var rightFirst = 0
        var rightSecond = 0
        for number in 0..<300 {
            if first.successor(of: context)?.page == page { rightFirst += 1 }
            if second.successor(of: context)?.page == page { rightSecond += 1 }
            first.learn(context, isFollowedBy: page)
            second.learn(context, isFollowedBy: page)
            context.advance(to: page)
            page += number % 3 == 2 ? 5 : 1
        }
        #expect(rightSecond >= 290)
        #expect(rightFirst < 250)
    }
}
