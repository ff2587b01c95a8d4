import LociModel
import LociPrefetch
public import LociTiering

/// A stream of requests without a memory: every request counts. A predicted page stands for a
/// number of requests, or until it is asked for, or until newer predictions push it out.
public struct RawPrefetchTrial: Sendable {
    public let trace: AccessTrace
    /// Requests within which a predicted page has to come.
    public let window: Int
    /// Predictions that stand at once.
    public let standing: Int

    public init(_ trace: AccessTrace, window: Int = 64, standing: Int = .max) {
        precondition(window > 0 && standing > 0, "a prediction stands for a request or more")
        self.trace = trace
        self.window = window
        self.standing = standing
    }

    /// `used` counts requests whose page was predicted, `wasted` predictions that did not come;
    /// time is not modelled.
    public func run(_ predictor: inout some PagePredictor) -> PrefetchResult {
        var result = PrefetchResult()
        result.requests = trace.requests.count
        result.missesWithout = result.requests
        var predictions: [UInt64] = []
        // When a standing prediction was made; and all of them, the oldest first.
        var times: [UInt64: Int] = [:]
        var order: [(page: UInt64, time: Int)] = []
        var oldest = 0
        predictor.begin(into: &predictions)
        for time in 0...trace.requests.count {
            for page in predictions {
                if times[page] == nil {
                    times[page] = time
                    order.append((page, time))
                    result.issued += 1
                } else {
                    predictor.note(.dropped, of: page)
                }
            }
            guard time < trace.requests.count else { break }
            while oldest < order.count {
                let (page, made) = order[oldest]
                let stands = times[page] == made
                if stands, time - made < window, times.count <= standing { break }
                oldest += 1
                guard stands else { continue }
                times[page] = nil
                result.wasted += 1
                predictor.note(.wasted, of: page)
            }
            let page = trace.keys[Int(trace.requests[time])]
            let wasPredicted = times.removeValue(forKey: page) != nil
            predictions.removeAll(keepingCapacity: true)
            predictor.observe(page, wasResident: wasPredicted, into: &predictions)
            if wasPredicted {
                result.used += 1
                predictor.note(.used, of: page)
            } else {
                result.misses += 1
            }
        }
        result.avoided = result.used
        return result
    }
}
