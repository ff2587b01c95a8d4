/// A point on a monotonic clock, in nanoseconds since the clock's own start. Deciding code is
/// given instants; it never asks a clock.
public struct Instant: Hashable, Comparable, Sendable {
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static let zero = Instant(nanoseconds: 0)
    public static let distantFuture = Instant(nanoseconds: .max)

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at the ends of the clock.
    public func advanced(microseconds: UInt64) -> Instant {
        let (span, tooLong) = microseconds.multipliedReportingOverflow(by: 1000)
        let (sum, overflow) = nanoseconds.addingReportingOverflow(span)
        return tooLong || overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    public func advanced(milliseconds: UInt64) -> Instant {
        let (span, tooLong) = milliseconds.multipliedReportingOverflow(by: 1000)
        return tooLong ? .distantFuture : advanced(microseconds: span)
    }

    /// Whole microseconds since `earlier`; 0 if it lies later.
    public func microseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? (nanoseconds - earlier.nanoseconds) / 1000 : 0
    }
}
