public import LociPrefetch

/// One candidate alone, without an arbiter and without a governor: what it expects is fetched.
/// `next` alone is read-ahead, the least one can do.
public struct SoloPredictor: PagePredictor, Sendable {
    private enum Table: Sendable {
        case stride(StrideDetector)
        case last(LastSuccessorTable)
        case markov(MarkovTable)
        case next
    }

    private var table: Table
    private let leastConfidence: UInt8
    private var context = StreamContext()

    /// - Parameters:
    ///   - entriesLog2: of its table.
    ///   - leastConfidence: a guess below it is not issued, from 0 to 3.
    public init(
        _ candidate: PrefetchCandidate, entriesLog2: Int = 14, leastConfidence: UInt8 = 0
    ) {
        table =
            switch candidate {
            case .stride: .stride(StrideDetector())
            case .lastSuccessor: .last(LastSuccessorTable(entriesLog2: entriesLog2))
            case .markov1: .markov(MarkovTable(order: 1, entriesLog2: entriesLog2))
            case .markov2: .markov(MarkovTable(order: 2, entriesLog2: entriesLog2))
            case .next: .next
            }
        self.leastConfidence = leastConfidence
    }

    public mutating func observe(
        _ page: UInt64, wasResident: Bool, into predictions: inout [UInt64]
    ) {
        guard context.length == 0 || context.page != page else { return }
        var guess: SuccessorGuess?
        switch table {
        case .stride(var detector):
            // Out of the enumeration while it changes, so that nothing is copied.
            table = .last(LastSuccessorTable(entriesLog2: 2))
            if let run = detector.observe(page), run.isConfirmed {
                guess = SuccessorGuess(page: page &+ run.step, confidence: 3)
            }
            table = .stride(detector)
        case .last(var successors):
            table = .last(LastSuccessorTable(entriesLog2: 2))
            if context.length > 0 { successors.learn(context.page, isFollowedBy: page) }
            guess = successors.successor(of: page)
            table = .last(successors)
        case .markov(var steps):
            table = .last(LastSuccessorTable(entriesLog2: 2))
            steps.learn(context, isFollowedBy: page)
            var next = context
            next.advance(to: page)
            guess = steps.successor(of: next)
            table = .markov(steps)
        case .next:
            guess = SuccessorGuess(page: page &+ 1, confidence: 3)
        }
        context.advance(to: page)
        guard let guess, guess.confidence >= leastConfidence, guess.page != page else { return }
        predictions.append(guess.page)
    }
}

/// Knows the stream, as a client does that says what it will read: it asks for the next requests
/// before they come.
public struct ToldPredictor: PagePredictor, Sendable {
    private let keys: [UInt64]
    private let lookahead: Int
    private var position = 0

    public init(keys: [UInt64], lookahead: Int) {
        precondition(lookahead > 0, "who is told knows at least the next request")
        self.keys = keys
        self.lookahead = lookahead
    }

    public mutating func begin(into predictions: inout [UInt64]) { say(&predictions) }

    public mutating func observe(
        _ page: UInt64, wasResident: Bool, into predictions: inout [UInt64]
    ) {
        position += 1
        say(&predictions)
    }

    private func say(_ predictions: inout [UInt64]) {
        predictions.append(contentsOf: keys[position..<min(position + lookahead, keys.count)])
    }
}
