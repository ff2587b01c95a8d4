/// Where a stream of pages stands: the page it is at and the two steps that led there. Steps are
/// differences of page numbers modulo 2^64, so that a step back is one like any other.
public struct StreamContext: Sendable, Equatable {
    public private(set) var page: UInt64
    public private(set) var step: UInt64 = 0
    public private(set) var stepBefore: UInt64 = 0
    /// How many pages led here; 0 if there was none yet.
    public private(set) var length = 0

    public init() { page = 0 }

    /// The stream goes on to a page. The same page once more changes nothing.
    public mutating func advance(to next: UInt64) {
        guard length > 0 else {
            page = next
            length = 1
            return
        }
        guard next != page else { return }
        stepBefore = step
        step = next &- page
        page = next
        length = min(length + 1, 3)
    }
}

/// A page that a table expects next.
public struct SuccessorGuess: Equatable, Sendable {
    public let page: UInt64
    /// How often the table was right here before, from 0 to 3: up by one when it is, down by one
    /// when it is not.
    public let confidence: UInt8

    public init(page: UInt64, confidence: UInt8) {
        self.page = page
        self.confidence = confidence
    }
}
