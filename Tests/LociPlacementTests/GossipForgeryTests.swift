import LociBase
import LociPlacement
import Testing

/// A peer that the transport lets in and that lies in every field.
@Suite struct GossipForgeryTests {
    static let minute: UInt64 = 60_000_000
    let liar: UInt64 = 666

    @Test func aForgedLifeIsCutToTheLimit() {
        var limits = GossipLimits()
        limits.timeToLiveAtMost = 5_000_000
        var node = GossipNode(node: 1, incarnation: 1, limits: limits, seed: 1)
        tell(&node, [entry(2, 1, life: UInt64(UInt32.max))], at: at(1))
        #expect(node.entries(kind: .heat, at: at(1)).map(\.timeToLive) == [5_000_000])
        _ = node.startRound(among: [liar], at: at(6))
        #expect(node.vitals.entries == 0)
    }

    /// Told again and again, an old entry does not get older than its time.
    @Test func tellingItAgainDoesNotLengthenALife() {
        var node = GossipNode(node: 1, incarnation: 1, seed: 1)
        for second in 1...9 as ClosedRange<UInt64> {
            tell(&node, [entry(2, 1, life: 10_000_000)], at: at(second))
        }
        #expect(node.entries(kind: .heat, at: at(9)).map(\.timeToLive) == [2_000_000])
        #expect(node.vitals.stale == 8)
    }

    @Test func aForgedVersionSilencesOneKeyAndOnlyForItsLife() {
        var limits = GossipLimits()
        limits.timeToLiveAtMost = 5_000_000
        var node = GossipNode(node: 1, incarnation: 1, limits: limits, seed: 1)
        let forged = entry(
            2, 1, version: GossipEntry.versionAtMost, life: UInt64(UInt32.max), "forged")
        tell(&node, [forged], at: at(1))
        tell(&node, [entry(2, 1, version: 5, "true"), entry(2, 9, version: 6)], at: at(2))
        #expect(node.entries(kind: .heat, at: at(2)).map(\.payload.string) == ["forged", "x"])
        _ = node.startRound(among: [liar], at: at(6))
        tell(&node, [entry(2, 1, version: 5, "true")], at: at(6))
        #expect(node.entries(kind: .heat, at: at(6)).first?.payload.string == "true")
        tell(&node, [entry(2, 3, version: GossipEntry.versionAtMost + 1)], at: at(6))
        #expect(node.vitals.nonsense == 1)
    }

    @Test func anOriginSpeaksLouderThanItsForger() {
        var node = GossipNode(node: 1, incarnation: 1, seed: 1)
        node.publish(.heat, part: 1, Bytes(utf8: "true"), timeToLive: Self.minute, at: .zero)
        tell(&node, [entry(1, 1, version: 77 << 32, "forged")], at: at(1))
        let own = node.entries(kind: .heat, at: at(1))
        #expect(own.map(\.payload.string) == ["true"])
        #expect(own[0].version > 77 << 32)
        #expect(own[0].timeToLive == Self.minute - 1_000_000)
        #expect(node.takeNews().isEmpty)
        node.publish(.heat, part: 1, Bytes(utf8: "next"), timeToLive: Self.minute, at: at(1))
        #expect(node.entries(kind: .heat, at: at(1))[0].version > own[0].version)
        // Not even the highest version makes its own table refuse it.
        tell(&node, [entry(1, 1, version: GossipEntry.versionAtMost, "forged")], at: at(1))
        tell(
            &node, (0..<100).map { entry(1, UInt32(100 + $0), version: GossipEntry.versionAtMost) },
            at: at(2))
        node.publish(.heat, part: 2, Bytes(utf8: "mine"), timeToLive: Self.minute, at: at(2))
        #expect(node.entries(kind: .heat, at: at(2)).contains { $0.payload.string == "mine" })
        #expect(node.vitals.entries == GossipLimits().entriesPerOrigin)
    }

    @Test func forgedOriginsAreRefusedWhereOriginsAreKnown() {
        var node = GossipNode(node: 1, incarnation: 1, seed: 1)
        node.origins = [2, 3]
        tell(&node, (0..<50).map { entry(1000 + UInt64($0), 1) } + [entry(3, 1)], at: at(1))
        #expect(node.vitals.entries == 1)
        #expect(node.vitals.nonsense == 50)
    }

    @Test func memoryStaysWithinItsBoundsWhateverIsTold() {
        var limits = GossipLimits()
        limits.entries = 256
        limits.memoryBytes = 2 << 20
        limits.entriesPerOrigin = 16
        var random = SeededRandom(seed: 4)
        var node = GossipNode(node: 1, incarnation: 1, limits: limits, seed: 1)
        node.publish(.heat, part: 0, Bytes(utf8: "own"), timeToLive: Self.minute, at: at(1))
        for round in 1...150 as ClosedRange<UInt64> {
            let entries = (0..<20).map { _ in
                entry(
                    UInt64(random.below(100)) + 2, UInt32(random.below(100)),
                    version: random.next() >> 1, life: UInt64(random.below(600_000_000)),
                    String(repeating: "y", count: random.chance(0.5) ? 3000 : 1))
            }
            tell(&node, entries, at: at(1).advanced(microseconds: round * 1000))
            #expect(node.vitals.entries <= 256)
            #expect(node.vitals.memoryBytes <= 2 << 20)
        }
        #expect(node.vitals.evicted > 100)
        let heat = node.entries(kind: .heat, at: at(2))
        #expect(heat.contains { $0.origin == 1 })
        let quota = Dictionary(grouping: heat, by: \.origin).values.map(\.count).max()
        #expect(quota ?? 0 <= 16)
    }

    /// Keys made to fall into one leaf stop at the leaf's bound.
    @Test func aLeafHasABound() {
        var limits = GossipLimits()
        limits.entriesPerLeaf = 40
        var node = GossipNode(node: 1, incarnation: 1, limits: limits, seed: 1)
        var keys: [GossipKey] = []
        for origin in 2... as PartialRangeFrom<UInt64> {
            let key = GossipKey(origin: origin, kind: .heat, part: 0)
            if key.leaf == 7 { keys.append(key) }
            if keys.count == 60 { break }
        }
        tell(&node, keys.map { entry($0.origin, 0) }, at: at(1))
        #expect(node.vitals.entries == 40)
        #expect(node.vitals.refused == 20)
    }

    @Test func aFloodOfDigestsIsAnsweredWithinTheBudget() {
        let limits = GossipLimits()
        var node = GossipNode(node: 1, incarnation: 1, seed: 1)
        for part in 0..<64 as Range<UInt32> {
            node.publish(.heat, part: part, Bytes(zeros: 4096), timeToLive: Self.minute, at: at(1))
        }
        _ = node.startRound(among: [], at: at(1))
        var answered = 0
        for number in 0..<200 as Range<UInt64> {
            let digest = GossipMessage.digest(number: number, fingerprints: [number])
            let stamps = node.receive(digest, from: liar, at: at(1))
            answered += stamps.count
            guard case .stamps(_, let ticket, _, let held)? = stamps.first?.message else {
                continue
            }
            let delta = GossipMessage.delta(
                echo: ticket, number: 5, entries: [], wanted: held.map(\.key))
            for (_, message) in node.receive(delta, from: liar, at: at(1)) {
                #expect(message.encodedCount <= limits.messageBytes)
            }
        }
        #expect(answered == limits.answersPerPeer)
        #expect(node.vitals.bytesSent <= UInt64(limits.bytesPerRound / 4))
        // Others are still answered, and this one again in the next round.
        let digest = GossipMessage.digest(number: 1, fingerprints: [1])
        #expect(node.receive(digest, from: 3, at: at(1)).count == 1)
        _ = node.startRound(among: [], at: at(2))
        #expect(node.receive(digest, from: liar, at: at(2)).count == 1)
    }

    // MARK: Parts

    func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    func entry(
        _ origin: UInt64, _ part: UInt32, version: UInt64 = 1, life: UInt64 = minute,
        _ payload: String = "x"
    ) -> GossipEntry {
        GossipEntry(
            key: GossipKey(origin: origin, kind: .heat, part: part), version: version,
            timeToLive: life, payload: Bytes(utf8: payload))
    }

    /// The liar lets the node open an exchange and answers it with a delta of its choice.
    func tell(_ node: inout GossipNode, _ entries: [GossipEntry], at now: Instant) {
        let digest = GossipMessage.digest(number: 9, fingerprints: [123])
        _ = node.startRound(among: [], at: now)
        let stamps = node.receive(digest, from: liar, at: now)
        guard case .stamps(_, let number, _, _)? = stamps.first?.message else { return }
        let delta = GossipMessage.delta(echo: number, number: 0, entries: entries, wanted: [])
        _ = node.receive(delta, from: liar, at: now)
    }
}
