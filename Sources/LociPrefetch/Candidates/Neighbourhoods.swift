import LociBase

/// Where the page after is a good guess: a 2-bit saturating counter for each neighbourhood of 64
/// pages, in a table of fixed size in which neighbourhoods share counters by chance.
struct Neighbourhoods: Sendable {
    private static let places = 1024
    private static let pagesLog2: UInt64 = 6
    private static let mostConfidence: UInt8 = 3

    private var counters = [UInt8](repeating: 0, count: places)

    var memoryBytes: Int { counters.count }

    /// The page after, with the confidence of the page's neighbourhood.
    func successor(of page: UInt64) -> SuccessorGuess {
        SuccessorGuess(page: page &+ 1, confidence: counters[Self.place(of: page)])
    }

    /// What came of the guess that follows a page.
    mutating func learn(_ page: UInt64, isRight: Bool) {
        let place = Self.place(of: page)
        if isRight {
            counters[place] = min(counters[place] + 1, Self.mostConfidence)
        } else if counters[place] > 0 {
            counters[place] -= 1
        }
    }

    private static func place(of page: UInt64) -> Int {
        Int(truncatingIfNeeded: mix64(page >> pagesLog2)) & (places - 1)
    }
}
