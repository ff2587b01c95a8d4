import LociBase
import LociPlacement
import Testing

/// Exchanges between a few nodes, message by message.
@Suite struct GossipNodeTests {
    static let minute: UInt64 = 60_000_000

    @Test func oneExchangeMakesTwoNodesEqual() {
        var (a, b) = pair()
        a.publish(.heat, part: 1, bytes("a1"), timeToLive: Self.minute, at: .zero)
        a.publish(.hint, part: 2, bytes("a2"), timeToLive: Self.minute, at: .zero)
        b.publish(.heat, part: 1, bytes("b1"), timeToLive: Self.minute, at: .zero)
        exchange(&a, &b, at: at(1))
        #expect(a.vitals.fingerprint == b.vitals.fingerprint)
        #expect(a.entries(kind: .heat, at: at(1)).map(\.origin) == [1, 2])
        #expect(b.entries(kind: .hint, at: at(1)).map(\.payload) == [bytes("a2")])
        #expect(a.takeNews().map(\.payload) == [bytes("b1")])
        #expect(b.takeNews().map(\.payload) == [bytes("a2"), bytes("a1")])
        #expect(a.takeNews().isEmpty && b.takeNews().isEmpty)
    }

    @Test func equalNodesExchangeADigestAndNothingElse() {
        var (a, b) = pair()
        for part in 0..<50 as Range<UInt32> {
            a.publish(.heat, part: part, bytes("x"), timeToLive: Self.minute, at: .zero)
        }
        exchange(&a, &b, at: at(1))
        let before = (a.vitals.bytesSent, b.vitals.bytesSent)
        let messages = a.startRound(among: [2], at: at(2))
        #expect(messages.count == 1)
        #expect(b.receive(messages[0].message, from: 1, at: at(2)).isEmpty)
        #expect(a.vitals.bytesSent - before.0 < 100)
        #expect(b.vitals.bytesSent == before.1)
    }

    @Test func aNewerWordReplacesAndAWithdrawalTakesBack() {
        var (a, b) = pair()
        a.publish(.heat, part: 1, bytes("old"), timeToLive: Self.minute, at: .zero)
        exchange(&a, &b, at: at(1))
        a.publish(.heat, part: 1, bytes("new"), timeToLive: Self.minute, at: at(2))
        exchange(&b, &a, at: at(3))
        #expect(b.entries(kind: .heat, at: at(3)).map(\.payload) == [bytes("new")])
        a.withdraw(.heat, part: 1)
        exchange(&a, &b, at: at(4))
        #expect(b.entries(kind: .heat, at: at(4)).isEmpty)
        #expect(b.takeNews().map(\.isWithdrawn) == [true])
    }

    @Test func aRestartedNodeGetsBackWhatItKnewAndOutlivesIt() {
        var (a, b) = pair()
        for part in [1, 2] as [UInt32] {
            a.publish(.heat, part: part, bytes("past"), timeToLive: Self.minute, at: .zero)
        }
        exchange(&a, &b, at: at(1))
        a = GossipNode(node: 1, incarnation: 2, seed: 9)
        a.publish(.heat, part: 1, bytes("present"), timeToLive: Self.minute, at: at(2))
        exchange(&a, &b, at: at(3))
        for node in [a, b] {
            #expect(
                node.entries(kind: .heat, at: at(3)).map(\.payload)
                    == [bytes("present"), bytes("past")])
        }
        #expect(a.takeNews().map(\.part) == [2])
    }

    @Test func theWholeTimeOfAnExchangeCountsAgainstALife() {
        var (a, b) = pair()
        b.publish(.heat, part: 1, bytes("b"), timeToLive: 10_000_000, at: .zero)
        let opened = a.startRound(among: [2], at: at(1))
        let stamps = b.receive(opened[0].message, from: 1, at: at(2))
        let wanted = a.receive(stamps[0].message, from: 2, at: at(3))
        let delta = b.receive(wanted[0].message, from: 1, at: at(4))
        // B says 6 s are left; A asked 4 s before it hears that.
        _ = a.receive(delta[0].message, from: 2, at: at(7))
        #expect(a.entries(kind: .heat, at: at(7)).map(\.timeToLive) == [2_000_000])
        #expect(a.entries(kind: .heat, at: at(9)).isEmpty)
        _ = a.startRound(among: [2], at: at(9))
        #expect(a.vitals.entries == 0 && a.vitals.memoryBytes == 0 && a.vitals.expired == 1)
    }

    @Test func clocksThatStartedLongAgoAreNoMatter() {
        var (a, b) = pair()
        let years = Instant(nanoseconds: 1 << 60)
        b.publish(.heat, part: 1, bytes("b"), timeToLive: Self.minute, at: years)
        let opened = a.startRound(among: [2], at: .zero)
        let stamps = b.receive(opened[0].message, from: 1, at: years)
        let wanted = a.receive(stamps[0].message, from: 2, at: at(1))
        let delta = b.receive(wanted[0].message, from: 1, at: years)
        _ = a.receive(delta[0].message, from: 2, at: at(1))
        #expect(a.entries(kind: .heat, at: at(2)).map(\.timeToLive) == [Self.minute - 1_000_000])
    }

    @Test func whatNobodyAskedForIsDropped() {
        var (a, b) = pair()
        b.publish(.heat, part: 1, bytes("b"), timeToLive: Self.minute, at: .zero)
        let entry = GossipEntry(
            key: GossipKey(origin: 2, kind: .heat, part: 7), version: 1 << 33,
            timeToLive: Self.minute, payload: bytes("forged"))
        for echo in [0, 1, 77] as [UInt64] {
            let delta = GossipMessage.delta(echo: echo, number: 0, entries: [entry], wanted: [])
            #expect(a.receive(delta, from: 2, at: at(1)).isEmpty)
        }
        #expect(a.vitals.entries == 0 && a.vitals.unasked == 3)
        // The right number from the wrong peer, and the same answer twice.
        let opened = a.startRound(among: [2], at: at(1))
        let stamps = b.receive(opened[0].message, from: 1, at: at(1))
        #expect(a.receive(stamps[0].message, from: 3, at: at(1)).isEmpty)
        #expect(a.receive(stamps[0].message, from: 2, at: at(1)).count == 1)
        #expect(a.receive(stamps[0].message, from: 2, at: at(1)).isEmpty)
    }

    // MARK: Parts

    func pair() -> (GossipNode, GossipNode) {
        (
            GossipNode(node: 1, incarnation: 1, seed: 1),
            GossipNode(node: 2, incarnation: 1, seed: 2)
        )
    }

    func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    func bytes(_ text: String) -> Bytes { Bytes(utf8: text) }

    /// All steps of an exchange that `a` opens.
    func exchange(_ a: inout GossipNode, _ b: inout GossipNode, at now: Instant) {
        var toB = a.startRound(among: [b.node], at: now)
        while !toB.isEmpty {
            let toA = toB.flatMap { b.receive($0.message, from: a.node, at: now) }
            toB = toA.flatMap { a.receive($0.message, from: b.node, at: now) }
        }
    }
}
