import LociBase
import LociModel
import LociPrefetch
public import LociTiering

/// Replays a stream of requests without prefetching and with it, in virtual time: one client that
/// asks for one page after the other, a memory under an eviction policy, and a device.
///
/// A page that was fetched ahead enters the memory as one that was asked for does, and its first
/// use counts as that entry; so prefetching and demand look alike to the policy.
public struct PrefetchTrial: Sendable {
    /// Times in nanoseconds. The defaults stand for a request over a network, and for a drive
    /// that gives a page of 16 KiB after 64 us and 1 GB/s. They are a model, not measurements.
    public struct Costs: Sendable, Equatable {
        /// Of every request, whether its page is there or not.
        public var request: UInt64 = 25_000
        /// Of a page that was not there, besides the device's time.
        public var miss: UInt64 = 5_000
        public var latency: UInt64 = 64_000
        public var transfer: UInt64 = 16_000
        /// Fetches at once; one of them is kept for demand, so at least 2.
        public var channels = 8
        /// Prefetches that may wait; more are dropped.
        public var queueLength = 32

        public init() {}
    }

    public let trace: AccessTrace
    /// Pages that fit in memory.
    public let capacity: Int
    public let policy: EvictionKind
    public let costs: Costs
    public let seed: UInt64
    /// For each request, whether it hits without prefetching.
    let hitsWithout: [Bool]
    private let nanosecondsWithout: UInt64

    public init(
        _ trace: AccessTrace, capacity: Int, policy: EvictionKind = .standard,
        costs: Costs = Costs(), seed: UInt64 = 1
    ) {
        precondition(capacity > 0 && costs.channels >= 2, "a memory of a page, two channels")
        self.trace = trace
        self.capacity = capacity
        self.policy = policy
        self.costs = costs
        self.seed = seed
        var memory = TrialMemory(
            keys: trace.keys, capacity: capacity, policy: policy, seed: seed)
        var time: UInt64 = 0
        hitsWithout = trace.requests.map { page in
            time += costs.request
            if memory.use(page) != .absent { return true }
            time += costs.miss + costs.latency + costs.transfer
            _ = memory.insert(page, isPrefetched: false)
            return false
        }
        nanosecondsWithout = time
    }

    /// Every request through a predictor whose predictions are not followed, as it would be
    /// without a device: for measuring what the predictor itself costs.
    ///
    /// - Returns: how many predictions there were.
    public func feed(_ predictor: inout some PagePredictor) -> Int {
        var predictions: [UInt64] = []
        var count = 0
        for (index, page) in trace.requests.enumerated() {
            predictions.removeAll(keepingCapacity: true)
            predictor.observe(
                trace.keys[Int(page)], wasResident: hitsWithout[index], into: &predictions)
            count += predictions.count
        }
        return count
    }

    public func run(_ predictor: inout some PagePredictor) -> PrefetchResult {
        var replay = Replay(trial: self)
        replay.result.requests = trace.requests.count
        replay.result.missesWithout = hitsWithout.count { !$0 }
        replay.result.modelledNanosecondsWithout = nanosecondsWithout
        predictor.begin(into: &replay.predictions)
        replay.followPredictions(&predictor)
        for (index, page) in trace.requests.enumerated() {
            replay.request(page, hitWithout: hitsWithout[index], &predictor)
        }
        replay.result.modelledNanoseconds = replay.now
        return replay.result
    }
}

/// One run with prefetching, as far as it has got.
private struct Replay {
    let costs: PrefetchTrial.Costs
    var memory: TrialMemory
    var device: ModelledDevice
    var now: UInt64 = 0
    var result = PrefetchResult()
    var predictions: [UInt64] = []
    /// The page that is being fetched on demand, or -1.
    private var demanded: Int32 = -1

    init(trial: PrefetchTrial) {
        costs = trial.costs
        memory = TrialMemory(
            keys: trial.trace.keys, capacity: trial.capacity, policy: trial.policy,
            seed: trial.seed)
        device = ModelledDevice(costs: trial.costs)
    }

    mutating func request(
        _ page: Int32, hitWithout: Bool, _ predictor: inout some PagePredictor
    ) {
        land(&predictor)
        now += costs.request
        let key = memory.key(of: page)
        let use = memory.use(page)
        let arrival = use == .absent ? device.finish(of: page) : nil
        predictions.removeAll(keepingCapacity: true)
        if use != .absent {
            predictor.observe(key, wasResident: true, into: &predictions)
            if use == .firstAfterPrefetch {
                result.used += 1
                predictor.note(.used, of: key)
            }
            followPredictions(&predictor)
        } else if let arrival {
            predictor.observe(key, wasResident: false, into: &predictions)
            predictor.note(.late, of: key)
            result.late += 1
            followPredictions(&predictor)
            now = max(now, arrival) + costs.miss
            land(&predictor)
            _ = memory.use(page)
        } else {
            if device.isQueued(page) {
                device.cancelQueued(page)
                result.dropped += 1
                predictor.note(.dropped, of: key)
            }
            let arrival = device.demand(at: now)
            demanded = page
            predictor.observe(key, wasResident: false, into: &predictions)
            followPredictions(&predictor)
            now = arrival + costs.miss
            land(&predictor)
            demanded = -1
            admit(page, isPrefetched: false, &predictor)
            result.misses += 1
            if hitWithout { result.caused += 1 }
        }
        if !hitWithout, use != .absent || arrival != nil { result.avoided += 1 }
    }

    /// Prefetches that are done enter the memory.
    private mutating func land(_ predictor: inout some PagePredictor) {
        while let fetch = device.takeFinished(by: now) {
            admit(fetch.page, isPrefetched: true, &predictor)
        }
        result.issued += device.begun.count
        device.begun.removeAll(keepingCapacity: true)
    }

    private mutating func admit(
        _ page: Int32, isPrefetched: Bool, _ predictor: inout some PagePredictor
    ) {
        guard let victim = memory.insert(page, isPrefetched: isPrefetched) else { return }
        result.wasted += 1
        predictor.note(.wasted, of: memory.key(of: victim))
    }

    mutating func followPredictions(_ predictor: inout some PagePredictor) {
        for key in predictions {
            let page = memory.number(of: key)
            let isComing =
                page == demanded || device.finish(of: page) != nil || device.isQueued(page)
            if isComing || memory.contains(page) {
                predictor.note(.dropped, of: key)
            } else if !device.enqueue(page, now: now) {
                result.dropped += 1
                predictor.note(.dropped, of: key)
            }
        }
        result.issued += device.begun.count
        device.begun.removeAll(keepingCapacity: true)
    }
}
