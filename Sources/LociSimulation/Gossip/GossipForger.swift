import LociBase
import LociPlacement

/// A node that lies: it takes part in every exchange with forged origins, far-future versions, huge
/// times to live and payloads, old entries told again as new, answers that nobody asked for and
/// more digests than anybody can answer.
struct GossipForger {
    private let ids: [UInt64]
    private let limits: GossipLimits
    private var heard: [GossipEntry] = []
    private(set) var forged: UInt64 = 0

    init(ids: [UInt64], limits: GossipLimits) {
        self.ids = ids
        self.limits = limits
    }

    mutating func startRound(
        _ random: inout SeededRandom
    ) -> [(to: UInt64, message: GossipMessage)] {
        var messages: [(to: UInt64, message: GossipMessage)] = []
        for _ in 0..<6 {
            let victim = ids[random.below(ids.count)]
            let fingerprints = (0..<(1 << random.below(9))).map { _ in random.next() }
            messages.append((victim, .digest(number: random.next(), fingerprints: fingerprints)))
            let entries = entries(5, &random)
            messages.append(
                (victim, .delta(echo: random.next(), number: 1, entries: entries, wanted: [])))
        }
        return messages
    }

    mutating func receive(
        _ message: GossipMessage, from peer: UInt64, _ random: inout SeededRandom
    ) -> [(to: UInt64, message: GossipMessage)] {
        switch message {
        case .digest(let number, _):
            // Claims to have everything, and newer.
            let stamps = (heard.map(\.key) + (0..<60).map { _ in key(&random) })
                .map {
                    GossipStamp(
                        key: $0, version: version(&random), check: 0,
                        timeToLive: UInt64(UInt32.max))
                }
            let answer = GossipForger.inOrder(stamps)
            return [
                (
                    peer,
                    .stamps(
                        echo: number, number: random.next(),
                        leaves: (0...255).map { UInt8($0) }, stamps: answer)
                )
            ]
        case .stamps(_, let number, _, _):
            let delta = GossipMessage.delta(
                echo: number, number: 0, entries: entries(80, &random), wanted: [])
            // Once would do.
            return [(peer, delta), (peer, delta)]
        case .delta(_, let number, let entries, _):
            heard = Array((entries + heard).prefix(40))
            let answer = self.entries(80, &random)
            return [(peer, .delta(echo: number, number: 0, entries: answer, wanted: []))]
        }
    }

    /// Half of them heard before and told anew, half made up.
    private mutating func entries(_ count: Int, _ random: inout SeededRandom) -> [GossipEntry] {
        var entries: [GossipEntry] = []
        var room = limits.messageBytes - 64
        for _ in 0..<count {
            let old = heard.isEmpty || random.chance(0.5) ? nil : heard[random.below(heard.count)]
            let size = random.chance(0.02) ? GossipEntry.payloadBytesAtMost : random.below(64)
            let entry = GossipEntry(
                key: old?.key ?? key(&random),
                version: old.flatMap { random.chance(0.5) ? $0.version : nil } ?? version(&random),
                timeToLive: UInt64(UInt32.max),
                payload: old?.payload ?? Bytes((0..<size).map { _ in UInt8(random.below(256)) }))
            room -= entry.payload.count + 32
            guard room > 0 else { break }
            entries.append(entry)
            forged += 1
        }
        return entries
    }

    private func key(_ random: inout SeededRandom) -> GossipKey {
        GossipKey(
            origin: random.chance(0.5) ? ids[random.below(ids.count)] : random.next(),
            kind: GossipKind.allCases[random.below(GossipKind.allCases.count)],
            part: random.chance(0.5) ? UInt32(random.below(8)) : UInt32(random.below(1 << 30)))
    }

    private func version(_ random: inout SeededRandom) -> UInt64 {
        random.chance(0.3) ? GossipEntry.versionAtMost : UInt64(random.below(1 << 40))
    }

    /// Stamps in the order that a table of the whole would have them in: only a message in order is
    /// looked at.
    private static func inOrder(_ stamps: [GossipStamp]) -> [GossipStamp] {
        var seen: Set<GossipKey> = []
        return stamps.filter { seen.insert($0.key).inserted }
            .sorted { ($0.key.leaf, $0.key) < ($1.key.leaf, $1.key) }
    }
}
