import LociBase

/// The messages whose answers a node awaits, and what it may still send until the next round.
///
/// Invariants:
/// - A number is awaited from one peer, for one step, and is used up by the first answer.
/// - Not more than the limit are awaited; the oldest are forgotten first.
struct GossipExchanges {
    enum Step { case stamps, delta }

    private struct Awaited {
        let number: UInt64
        let peer: UInt64
        let step: Step
        let sent: Instant
    }

    private let limits: GossipLimits
    private var awaited: [Awaited?] = []
    private var next = 0
    private var bytesLeft: Int
    private var answersLeft: Int
    /// Answers and bytes since the round began, for each peer that got some.
    private var shares: [UInt64: (answers: Int, bytes: Int)] = [:]

    init(limits: GossipLimits) {
        self.limits = limits
        bytesLeft = limits.bytesPerRound
        answersLeft = limits.answersPerRound
    }

    mutating func startRound() {
        bytesLeft = limits.bytesPerRound
        answersLeft = limits.answersPerRound
        shares.removeAll(keepingCapacity: true)
    }

    /// Awaits an answer from `peer` and makes up the number for it.
    mutating func open(
        _ step: Step, with peer: UInt64, at now: Instant, _ random: inout SeededRandom
    ) -> UInt64 {
        let number = max(random.next(), 1)
        let one = Awaited(number: number, peer: peer, step: step, sent: now)
        if awaited.count < limits.exchanges { awaited.append(one) } else { awaited[next] = one }
        next = (next + 1) % limits.exchanges
        return number
    }

    /// When the message was sent that this answers; nil for what nobody asked for.
    mutating func close(_ number: UInt64, _ step: Step, with peer: UInt64) -> Instant? {
        guard
            let index = awaited.firstIndex(where: {
                $0?.number == number && $0?.peer == peer && $0?.step == step
            })
        else { return nil }
        defer { awaited[index] = nil }
        return awaited[index]?.sent
    }

    /// Whether a digest of `peer` may be answered; counts it.
    mutating func admitDigest(of peer: UInt64) -> Bool {
        guard answersLeft > 0, shares[peer]?.answers ?? 0 < limits.answersPerPeer else {
            return false
        }
        answersLeft -= 1
        shares[peer, default: (0, 0)].answers += 1
        return true
    }

    /// Bytes that the next message to `peer` may have.
    func room(for peer: UInt64) -> Int {
        min(
            limits.messageBytes, bytesLeft,
            limits.bytesPerRound / 4 - (shares[peer]?.bytes ?? 0))
    }

    mutating func spend(_ bytes: Int, on peer: UInt64) {
        bytesLeft -= bytes
        shares[peer, default: (0, 0)].bytes += bytes
    }
}
