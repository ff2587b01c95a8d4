import LociBase
import LociModel
import LociPlacement
import Testing

/// What is read back, and foreign bytes.
@Suite struct GossipMessageTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func aMessageReadsAsItWasWritten(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let message = message(&random)
        let encoded = message.encoded
        #expect(encoded.count == message.encodedCount)
        #expect(try GossipMessage(encoded: encoded) == message)
    }

    @Test func everyTruncationAndEveryAdditionIsRefused() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<6 {
            let encoded = message(&random).encoded
            for count in 0..<encoded.count where count < 300 || count % 17 == 0 {
                #expect(throws: LociError.self) {
                    try GossipMessage(encoded: encoded.slice(0..<count))
                }
            }
            #expect(throws: LociError.self) {
                try GossipMessage(encoded: Bytes.joined([encoded, Bytes([0])]))
            }
        }
        #expect(throws: LociError.self) {
            try GossipMessage(encoded: Bytes(zeros: GossipMessage.bytesAtMost + 1))
        }
    }

    /// Counts that promise more than follows are refused before memory is taken for them.
    @Test func countsThatCannotBeAreRefused() {
        for step in 1...3 as ClosedRange<UInt8> {
            var writer = ByteWriter()
            writer.write(UInt8(1))
            writer.write(step)
            for _ in 0..<(step == 1 ? 1 : 2) { writer.write(UInt64(1)) }
            if step == 2 { writer.write(UInt16(0)) }
            writer.write(UInt32.max)
            #expect(throws: LociError.self) { try GossipMessage(encoded: writer.finished) }
        }
    }

    /// Mutated bytes never end the process; what still decodes goes into a node that stays within
    /// its bounds.
    @Test func mutatedMessagesAreHarmless() {
        var random = SeededRandom(seed: 5)
        var limits = GossipLimits()
        limits.entries = 128
        var node = GossipNode(node: 1, incarnation: 1, limits: limits, seed: 1)
        var (decoded, answers) = (0, 0)
        let now = Instant(nanoseconds: 1)
        for round in 0..<4000 {
            if round % 10 == 0 { _ = node.startRound(among: [2, 3], at: now) }
            let digest = GossipMessage.digest(number: 1, fingerprints: [random.next()])
            let asked = node.receive(digest, from: 2, at: now)
            var message = message(&random)
            // A number that is awaited lets the message in.
            if case .stamps(_, let number, _, _)? = asked.first?.message,
                case .delta(_, let next, let entries, let wanted) = message
            {
                message = .delta(echo: number, number: next, entries: entries, wanted: wanted)
            }
            var bytes = message.encoded.array
            for _ in 0..<random.below(4) {
                let place = random.chance(0.5) ? random.below(bytes.count) : random.below(30)
                if place < bytes.count { bytes[place] = UInt8(random.below(256)) }
            }
            guard let message = try? GossipMessage(encoded: Bytes(bytes)) else { continue }
            decoded += 1
            answers += node.receive(message, from: 2, at: now).count
            #expect(node.vitals.entries <= 128)
        }
        #expect(decoded > 500 && decoded < 4000)
        #expect(answers > 10 && node.vitals.taken > 100)
    }

    func message(_ random: inout SeededRandom) -> GossipMessage {
        switch random.below(3) {
        case 0:
            return .digest(
                number: random.next(),
                fingerprints: (0..<(1 << random.below(9))).map { _ in random.next() })
        case 1:
            return .stamps(
                echo: random.next(), number: random.next(),
                leaves: (0..<256).filter { _ in random.chance(0.1) }.map { UInt8($0) },
                stamps: (0..<random.below(40)).map { _ in
                    GossipStamp(
                        key: key(&random), version: random.next() >> 1,
                        check: UInt32(truncatingIfNeeded: random.next()),
                        timeToLive: random.next() >> 32)
                })
        default:
            return .delta(
                echo: random.next(), number: random.next(),
                entries: (0..<random.below(20)).map { _ in
                    GossipEntry(
                        key: key(&random), version: random.next() >> 1,
                        timeToLive: random.next() >> 32, payload: Bytes(zeros: random.below(100)))
                },
                wanted: (0..<random.below(20)).map { _ in key(&random) })
        }
    }

    func key(_ random: inout SeededRandom) -> GossipKey {
        GossipKey(
            origin: random.next() % 50, kind: GossipKind.allCases[random.below(3)],
            part: UInt32(truncatingIfNeeded: random.next()))
    }
}
