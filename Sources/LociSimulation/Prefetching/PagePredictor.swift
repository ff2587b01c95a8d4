public import LociModel
public import LociPrefetch

/// Whatever says which pages to fetch ahead of a stream of requests; see `StreamPredictor` for
/// what its calls mean.
public protocol PagePredictor {
    /// Before the first page is asked for.
    mutating func begin(into predictions: inout [UInt64])
    mutating func observe(
        _ page: UInt64, wasResident: Bool, into predictions: inout [UInt64])
    mutating func note(_ outcome: PrefetchOutcome, of page: UInt64)
}

extension PagePredictor {
    public mutating func begin(into predictions: inout [UInt64]) {}
    public mutating func note(_ outcome: PrefetchOutcome, of page: UInt64) {}
}

extension StreamPredictor: PagePredictor {}
