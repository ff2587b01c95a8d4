/// What one sequential scan costs a stream of requests that comes back to the same pages: the
/// stream runs, pages that nobody asks for again are read once each, and the stream goes on as if
/// nothing had been. Counted are the requests right after the scan, with it and without it.
public struct ScanLoss: Sendable {
    public let undisturbed: HitRatio
    public let disturbed: HitRatio

    /// Hit ratio lost, in points (hundredths).
    public var points: Double { (undisturbed.ratio - disturbed.ratio) * 100 }

    /// - Parameters:
    ///   - stream: keys of the stream, all below 2^63.
    ///   - resumption: how many of its last requests come after the scan and are counted.
    ///   - scanLength: pages of the scan.
    ///   - capacity: pages that fit.
    public init(
        _ kind: EvictionKind, stream: [UInt64], resumption: Int, scanLength: Int, capacity: Int,
        seed: UInt64 = 1
    ) {
        precondition(resumption > 0 && resumption <= stream.count)
        let start = stream.count - resumption
        let scan = (0..<scanLength).map { UInt64($0) | 1 << 63 }
        undisturbed = AccessTrace(keys: stream).hitRatio(
            kind, capacity: capacity, seed: seed, counting: { $0 >= start })
        disturbed = AccessTrace(keys: stream[..<start] + scan + stream[start...]).hitRatio(
            kind, capacity: capacity, seed: seed, counting: { $0 >= start + scanLength })
    }
}
