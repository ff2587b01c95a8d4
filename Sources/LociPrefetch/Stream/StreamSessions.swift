import LociBase

/// Where the sessions of a stream stand that interleave in it: what one session reads next follows
/// from what it read before, not from what others read in between. Direct-mapped; a session whose
/// place another takes begins anew.
struct StreamSessions: Sendable {
    struct Standing: Sendable {
        var context = StreamContext()
        var thirdStep: UInt64 = 0
    }

    private static let count = 32

    private var owners: [UInt64] = Array(repeating: 0, count: count)
    private var standings: [Standing] = Array(repeating: Standing(), count: count)
    private(set) var current: UInt64 = 0

    var memoryBytes: Int {
        Self.count * (MemoryLayout<Standing>.stride + MemoryLayout<UInt64>.stride)
    }

    /// Goes over to another session. Returns where it stands.
    mutating func enter(_ session: UInt64, leaving standing: Standing) -> Standing {
        standings[place(of: current)] = standing
        owners[place(of: current)] = current
        current = session
        let place = place(of: session)
        return owners[place] == session ? standings[place] : Standing()
    }

    /// The stream was not looked at for a while: nobody stands anywhere.
    mutating func forgetAll() {
        for index in standings.indices { standings[index] = Standing() }
    }

    private func place(of session: UInt64) -> Int {
        Int(truncatingIfNeeded: mix64(session) >> 32) & (Self.count - 1)
    }
}

extension StreamPredictor {
    /// `observe` where there is one session only.
    public mutating func observe(
        _ page: UInt64, wasResident: Bool, into predictions: inout [UInt64]
    ) {
        observe(page, session: 0, wasResident: wasResident, into: &predictions)
    }
}
