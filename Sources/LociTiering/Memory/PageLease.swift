import LociBase

/// A page that stays where it is and as it is while this is held: it is not evicted, and writes go
/// to a new copy. Letting the lease end unpins it.
public struct PageLease: ~Copyable {
    private let page: Bytes

    init(_ page: Bytes) { self.page = page }

    public var count: Int { page.count }

    /// Looks at the page where it lies.
    public func withBytes<Result, E>(
        _ body: (RawSpan) throws(E) -> Result
    ) throws(E) -> Result {
        try page.withSpan(body)
    }
}
