import LociBase
import LociModel
import Testing

@testable import LociPrefetch

/// A memory in which a page is resident for some accesses after it was predicted, which tells the
/// predictor what became of it.
private struct Standing {
    var predictor: StreamPredictor
    let lifetime: Int
    var issued = 0
    var used = 0
    var wasted = 0
    var time = 0
    var predictions: [UInt64] = []
    private var times: [UInt64: Int] = [:]
    private var order: [(page: UInt64, time: Int)] = []
    private var oldest = 0

    init(_ predictor: StreamPredictor = StreamPredictor(), lifetime: Int = 64) {
        self.predictor = predictor
        self.lifetime = lifetime
    }

    mutating func access(_ page: UInt64) {
        time += 1
        while oldest < order.count, time - order[oldest].time > lifetime {
            let (page, made) = order[oldest]
            oldest += 1
            guard times[page] == made else { continue }
            times[page] = nil
            wasted += 1
            predictor.note(.wasted, of: page)
        }
        let wasThere = times.removeValue(forKey: page) != nil
        predictions.removeAll(keepingCapacity: true)
        predictor.observe(page, wasResident: wasThere, into: &predictions)
        if wasThere {
            used += 1
            predictor.note(.used, of: page)
        }
        for prediction in predictions {
            if times[prediction] == nil {
                times[prediction] = time
                order.append((prediction, time))
                issued += 1
            } else {
                predictor.note(.dropped, of: prediction)
            }
        }
    }
}

@Suite struct StreamPredictorTests {
    @Test func aScanIsPredictedFromItsFourthPageOn() {
        var run = Standing()
        for page in 0..<30_000 as Range<UInt64> { run.access(page) }
        #expect(Double(run.used) >= 0.95 * Double(run.issued))
        #expect(run.used >= 29_990)
        let report = run.predictor.report
        #expect(report.precision >= 0.99 && report.coverage >= 0.99)
        #expect(report.candidates[PrefetchCandidate.stride.rawValue].shareOfBudget > 0.99)
    }

    @Test(arguments: [500, 1000, 100_000, 1 << 40] as [UInt64]) func silentOnNoise(
        pages: UInt64
    ) {
        var run = Standing()
        var random = SeededRandom(seed: pages)
        for _ in 0..<40_000 { run.access(random.next() % pages) }
        #expect(run.issued <= 400)
        #expect(run.predictor.report.isAsleep)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>) func wakesWithinTwoSamplePeriods(
        seed: UInt64
    ) {
        var run = Standing(StreamPredictor(seed: seed))
        var random = SeededRandom(seed: seed)
        for _ in 0..<15_000 { run.access(random.next()) }
        #expect(run.predictor.report.isAsleep)
        var waited = 0
        while run.predictor.report.isAsleep {
            run.access(UInt64(waited))
            waited += 1
            if waited > 10_000 { break }
        }
        #expect(waited <= 512)
        let before = run.used
        for page in 0..<1000 as Range<UInt64> { run.access(UInt64(waited) + page) }
        #expect(run.used - before >= 900)
    }

    @Test func wakesUpToALoopWithoutPattern() {
        var run = Standing()
        var random = SeededRandom(seed: 9)
        for _ in 0..<15_000 { run.access(random.next()) }
        let loop = (0..<2000).map { _ in random.next() }
        for _ in 0..<16 { for page in loop { run.access(page) } }
        let before = run.used
        for page in loop { run.access(page) }
        #expect(run.used - before >= 1800)
    }

    @Test func whatHasTurnedBadFallsSilentSoon() {
        var run = Standing()
        for page in 0..<20_000 as Range<UInt64> { run.access(page) }
        let before = run.issued
        // Three pages a step apart, as if a run began; the fourth never comes.
        var random = SeededRandom(seed: 4)
        for _ in 0..<10_000 {
            let (start, step) = (random.next(), random.next() >> 20)
            for number in 0..<3 as Range<UInt64> { run.access(start &+ number &* step) }
        }
        let bound = Double(PrefetchGovernor.mostCredit) / 0.5
        #expect(Double(run.issued - before) <= bound + 30_000 * 0.01)
    }

    @Test func aMixtureNeverCostsMoreThanTheFirstCredit() {
        for seed in 1...2 as ClosedRange<UInt64> {
            var run = Standing(StreamPredictor(seed: seed))
            var random = SeededRandom(seed: seed)
            var place: UInt64 = 0
            for number in 0..<12_000 {
                if number % 500 == 0 { place = random.next() }
                place &+= random.chance(0.6) ? 1 : random.next() % 100
                run.access(place)
                // Wasted fetches are paid from first credits, probes, and earlier gains.
                let spent = Double(run.wasted) * 0.5
                let candidates = Double(PrefetchCandidate.allCases.count)
                let first = candidates * Double(PrefetchGovernor.firstCredit)
                #expect(spent <= first + Double(run.used) * 0.5 + Double(number) / 256 + 64)
            }
        }
    }

    @Test func latePagesAskForMoreDepthAndWastedOnesForLess() {
        var predictor = StreamPredictor()
        var predictions: [UInt64] = []
        func depth() -> Double {
            predictor.report.candidates[PrefetchCandidate.stride.rawValue].depth
        }
        for page in 0..<200 as Range<UInt64> {
            predictor.observe(page, wasResident: false, into: &predictions)
            if page > 10 { predictor.note(.late, of: page) }
        }
        let deep = depth()
        #expect(deep >= 10)
        #expect(predictions.max() ?? 0 >= 208)
        for page in 205..<216 as Range<UInt64> { predictor.note(.wasted, of: page) }
        #expect(depth() < deep)
    }

    @Test func predictionsAreDistinctFewAndTheSameForTheSameSeed() {
        func predictions(seed: UInt64) -> [[UInt64]] {
            var tuning = StreamPredictor.Tuning()
            tuning.mostPerAccess = 3
            var run = Standing(StreamPredictor(tuning: tuning, seed: seed))
            var random = SeededRandom(seed: 7)
            var place: UInt64 = 0
            return (0..<8000).map { _ in
                place = random.chance(0.7) ? place + 1 : random.next() % 300
                run.access(place)
                return run.predictions
            }
        }
        let first = predictions(seed: 1)
        for list in first {
            #expect(list.count <= 3)
            #expect(Set(list).count == list.count)
        }
        #expect(first == predictions(seed: 1))
        #expect(first.contains { $0.count > 1 })
    }

    @Test func withoutAGovernorEveryGuessIsIssued() {
        var tuning = StreamPredictor.Tuning()
        tuning.isGoverned = false
        var run = Standing(StreamPredictor(tuning: tuning))
        var random = SeededRandom(seed: 6)
        for _ in 0..<3000 { run.access(random.next() % 200) }
        #expect(run.issued > 3000)
        #expect(!run.predictor.report.isAsleep)
    }

    @Test func onlyThoseAskedForPropose() {
        var tuning = StreamPredictor.Tuning()
        tuning.candidates = .lastSuccessor
        var run = Standing(StreamPredictor(tuning: tuning))
        for page in 0..<3000 as Range<UInt64> { run.access(page) }
        #expect(run.issued == 0)
        for _ in 0..<5 { for page in 0..<3000 as Range<UInt64> { run.access(page) } }
        #expect(run.used > 9000)
        let report = run.predictor.report
        #expect(report.candidates.filter { $0.issued > 0 }.map(\.candidate) == [.lastSuccessor])
    }

    /// A page that is there already costs nothing: what is dropped for that is paid back.
    @Test func predictionsOfResidentPagesAreForgiven() {
        var predictor = StreamPredictor()
        var predictions: [UInt64] = []
        for _ in 0..<10 {
            for page in 0..<1000 as Range<UInt64> {
                predictions.removeAll(keepingCapacity: true)
                predictor.observe(page, wasResident: true, into: &predictions)
                for prediction in predictions { predictor.note(.dropped, of: prediction) }
            }
        }
        let report = predictor.report
        #expect(report.tally.issued == 0 && report.tally.dropped > 9000)
        #expect(!report.candidates[PrefetchCandidate.stride.rawValue].isSilent)
        #expect(report.residentShare > 0.9)
    }

    @Test func memoryStaysBelowThreeTenthsOfAMegabyte() {
        var run = Standing()
        #expect(run.predictor.memoryBytes <= 300_000)
        var random = SeededRandom(seed: 8)
        var place: UInt64 = 0
        for number in 0..<30_000 {
            if number % 1000 == 0 { place = random.next() }
            place = random.chance(0.8) ? place &+ random.next() % 4 : place &- random.next() % 99
            run.access(place)
        }
        print("a predictor holds \(run.predictor.memoryBytes) bytes")
        #expect(run.predictor.memoryBytes <= 300_000)
    }
}
