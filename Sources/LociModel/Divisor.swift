/// A number by which is divided often: a multiplication and one correction instead of a division
/// (P. Barrett, CRYPTO '86). Exact for all numbers.
///
/// Why: with r = floor((2^64 - 1) / d), 2^64 / d - 1 <= r < 2^64 / d. So x * r / 2^64 is at most
/// x / d and more than x / d - 1: its floor is the quotient, or one less.
public struct Divisor: Sendable {
    public let value: UInt64
    @usableFromInline let reciprocal: UInt64

    /// - Precondition: `value` is not 0.
    public init(_ value: UInt64) {
        self.value = value
        reciprocal = .max / value
    }

    @inlinable public func divide(_ number: UInt64) -> (quotient: UInt64, remainder: UInt64) {
        let quotient = reciprocal.multipliedFullWidth(by: number).high
        let remainder = number &- quotient &* value
        return remainder < value ? (quotient, remainder) : (quotient &+ 1, remainder &- value)
    }
}
