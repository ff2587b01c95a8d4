import LociBase
import LociPlacement

/// A cluster's gossip in virtual time: the nodes of the real processes under a clock and a network
/// that a seed decides about. Checks all along that nothing outlives its time, that memory and
/// bytes stay within their bounds, and in the end that all nodes hold what each origin last said.
public final class GossipSimulation {
    enum Event {
        case round(Int, life: Int)
        case deliver(to: Int, from: Int, GossipMessage)
        case publish(Int)
        case crash
        case restart(Int)
        case cut
        case heal
        case endOfFaults
        case lastWord
        case check
    }

    static let roundMicroseconds: UInt64 = 1_000_000
    /// Rounds after which a cluster that has not come to rest is called broken.
    static let roundsAtMost = 90.0

    let scenario: GossipScenario
    var random: SeededRandom
    var queue = EventQueue<Event>()
    var now = Instant.zero
    var network = SimulatedNetwork()
    var nodes: [GossipNode?]
    var lives: [Int]
    var forgers: [Int: GossipForger] = [:]
    var report = GossipReport()
    /// The side of each node while the cluster is cut in two.
    private var sides: [Bool]?
    private var areFaultsOver: Bool
    private var measuredFrom = Instant.zero
    private var words: UInt64 = 0
    /// When each publication has to be gone, by the number in its payload.
    private var deadlines: [UInt64: Instant] = [:]
    private var sentBefore: [UInt64]
    private var rounds: UInt64 = 0
    private let ids: [UInt64]

    public init(_ scenario: GossipScenario) {
        precondition(scenario.nodes >= 2 && scenario.hostile < scenario.nodes)
        self.scenario = scenario
        random = SeededRandom(seed: scenario.seed)
        ids = (0..<scenario.nodes).map { UInt64($0) + 1 }
        nodes = Array(repeating: nil, count: scenario.nodes)
        lives = Array(repeating: 0, count: scenario.nodes)
        sentBefore = Array(repeating: 0, count: scenario.nodes)
        areFaultsOver = scenario.faultRounds == 0
        network.faults = SimulatedNetwork.Faults(
            loss: scenario.loss, duplication: scenario.duplication,
            delayMicroseconds: scenario.delayMicroseconds, straggling: scenario.straggling)
    }

    /// Small clusters check every message's encoding and every entry's life; large ones would take
    /// too long.
    private var isSmall: Bool { scenario.nodes <= 64 }

    public func run() -> GossipReport {
        for index in nodes.indices {
            if index < scenario.hostile {
                forgers[index] = GossipForger(ids: ids, limits: scenario.limits)
            }
            start(index)
        }
        for index in nodes.indices where forgers[index] == nil { say(index, all: true) }
        planFaults()
        plan(.check, afterMicroseconds: Self.roundMicroseconds / 4)
        while report.violation == nil, report.rounds == 0, let (at, event) = queue.next() {
            now = at
            handle(event)
        }
        finishReport()
        return report
    }

    func plan(_ event: Event, afterMicroseconds delay: UInt64) {
        queue.plan(event, at: now.advanced(microseconds: delay))
    }

    func fail(_ what: String) {
        report.violation = report.violation ?? "at \(now.nanoseconds / 1000) us: \(what)"
    }

    private func planFaults() {
        guard scenario.faultRounds > 0 else { return }
        let span = UInt64(scenario.faultRounds) * Self.roundMicroseconds
        for _ in 0..<scenario.crashes { plan(.crash, afterMicroseconds: random.next() % span) }
        for _ in 0..<scenario.cuts { plan(.cut, afterMicroseconds: random.next() % span) }
        for index in nodes.indices where forgers[index] == nil {
            plan(.publish(index), afterMicroseconds: random.next() % 2_000_000)
        }
        plan(.endOfFaults, afterMicroseconds: span)
    }

    private func finishReport() {
        report.messages = network.sent
        report.messagesLost = network.lost
        var bytes: UInt64 = 0
        for (index, node) in nodes.enumerated() where forgers[index] == nil {
            guard let vitals = node?.vitals else { continue }
            bytes += vitals.bytesSent
            report.unasked += vitals.unasked
            report.evicted += vitals.evicted
            report.overBudget += vitals.overBudget
            report.entries = max(report.entries, vitals.entries)
        }
        report.meanBytesPerRound = Double(bytes) / Double(max(rounds, 1))
    }

    // MARK: Events

    private func handle(_ event: Event) {
        switch event {
        case .round(let index, let life):
            if lives[index] == life { startRound(index) }
        case .deliver(let to, let from, let message): deliver(message, to: to, from: from)
        case .publish(let index):
            guard !areFaultsOver else { return }
            if nodes[index] != nil { say(index, all: false) }
            plan(.publish(index), afterMicroseconds: 500_000 + random.next() % 4_000_000)
        case .crash: crash()
        case .restart(let index): if nodes[index] == nil { start(index) }
        case .cut:
            guard !areFaultsOver, sides == nil else { return }
            sides = nodes.indices.map { _ in random.chance(0.5) }
            report.cuts += 1
            plan(.heal, afterMicroseconds: 2_000_000 + random.next() % 10_000_000)
        case .heal: sides = nil
        case .endOfFaults: endFaults()
        case .lastWord:
            for index in nodes.indices where forgers[index] == nil { say(index, all: true) }
            measuredFrom = now
            plan(.check, afterMicroseconds: Self.roundMicroseconds / 4)
        case .check: check()
        }
    }

    private func crash() {
        let index = random.below(nodes.count)
        guard !areFaultsOver, nodes[index] != nil, forgers[index] == nil else { return }
        nodes[index] = nil
        lives[index] += 1
        report.crashes += 1
        plan(.restart(index), afterMicroseconds: 100_000 + random.next() % 8_000_000)
    }

    private func start(_ index: Int) {
        lives[index] += 1
        var node = GossipNode(
            node: ids[index], incarnation: UInt64(lives[index]), limits: scenario.limits,
            seed: random.next())
        if scenario.areOriginsKnown { node.origins = Set(ids.dropFirst(scenario.hostile)) }
        nodes[index] = node
        sentBefore[index] = 0
        plan(
            .round(index, life: lives[index]),
            afterMicroseconds: random.next() % Self.roundMicroseconds)
    }

    /// All nodes live and can reach each other. Where forgers spoke, what they said must first die
    /// out; then all nodes have a last word.
    private func endFaults() {
        areFaultsOver = true
        sides = nil
        for index in nodes.indices where nodes[index] == nil { start(index) }
        if scenario.hostile > 0 {
            plan(.lastWord, afterMicroseconds: scenario.limits.timeToLiveAtMost + 5_000_000)
        } else {
            measuredFrom = now
            plan(.check, afterMicroseconds: Self.roundMicroseconds / 4)
        }
    }

    /// Publishes keys of a node: some short-lived, some withdrawn, while there are faults.
    private func say(_ index: Int, all: Bool) {
        for part in 0..<scenario.keysPerNode where all || random.chance(0.5) {
            let kind = GossipKind.allCases[part % GossipKind.allCases.count]
            if !all, random.chance(0.1) {
                nodes[index]!.withdraw(kind, part: UInt32(part))
                continue
            }
            let isShort = !all && part % 4 == 3
            let life =
                isShort ? 2_000_000 + random.next() % 10_000_000 : scenario.limits.timeToLiveAtMost
            words += 1
            var payload = ByteWriter()
            payload.write(words)
            for _ in 8..<max(scenario.payloadBytes, 8) { payload.write(UInt8(0)) }
            nodes[index]!.publish(
                kind, part: UInt32(part), payload.finished, timeToLive: life, at: now)
            deadlines[words] = now.advanced(microseconds: life)
        }
    }

    // MARK: Rounds and messages

    private func startRound(_ index: Int) {
        plan(
            .round(index, life: lives[index]),
            afterMicroseconds: Self.roundMicroseconds * 19 / 20 + random.next() % 100_000)
        if forgers[index] != nil {
            guard !areFaultsOver else { return }
            send(forgers[index]!.startRound(&random), from: index)
            return
        }
        let sent = nodes[index]!.vitals.bytesSent
        let spent = sent - sentBefore[index]
        sentBefore[index] = sent
        rounds += 1
        report.mostBytesPerRound = max(report.mostBytesPerRound, spent)
        if spent > scenario.limits.bytesPerRound { fail("\(spent) bytes sent in a round") }
        send(nodes[index]!.startRound(among: ids, at: now), from: index)
        checkBounds(index)
    }

    private func send(_ messages: [(to: UInt64, message: GossipMessage)], from: Int) {
        for (to, message) in messages {
            if let sides, sides[from] != sides[Int(to) - 1] { continue }
            for (_, delay) in network.carry([], mayRepeat: true, &random) {
                plan(.deliver(to: Int(to) - 1, from: from, message), afterMicroseconds: delay)
            }
        }
    }

    private func deliver(_ message: GossipMessage, to: Int, from: Int) {
        guard nodes[to] != nil else { return }
        report.digest = mix64(
            report.digest ^ now.nanoseconds &+ UInt64(to) << 40 &+ UInt64(message.encodedCount))
        if forgers[to] != nil {
            guard !areFaultsOver, forgers[from] == nil else { return }
            send(forgers[to]!.receive(message, from: ids[from], &random), from: to)
            report.forged = forgers.values.reduce(0) { $0 + $1.forged }
            return
        }
        var message = message
        if isSmall {
            let encoded = message.encoded
            guard encoded.count == message.encodedCount,
                let decoded = try? GossipMessage(encoded: encoded), decoded == message
            else { return fail("a message reads otherwise than it was written") }
            message = decoded
        }
        send(nodes[to]!.receive(message, from: ids[from], at: now), from: to)
    }

    // MARK: Checks

    private func checkBounds(_ index: Int) {
        let node = nodes[index]!
        let vitals = node.vitals
        report.mostMemoryBytes = max(report.mostMemoryBytes, vitals.memoryBytes)
        if vitals.entries > scenario.limits.entries { fail("\(vitals.entries) entries in a table") }
        if vitals.memoryBytes > scenario.limits.memoryBytes {
            fail("\(vitals.memoryBytes) bytes in a table")
        }
        guard isSmall, scenario.hostile == 0 else { return }
        for entry in GossipKind.allCases.flatMap({ node.entries(kind: $0, at: now) }) {
            let deadline = deadlines[entry.payload.load(UInt64.self, at: 0)]!
            if deadline < now.advanced(microseconds: entry.timeToLive) {
                fail("node \(index + 1) would keep an entry of \(entry.origin) beyond its time")
            }
        }
    }

    /// Whether all tables are the same, and hold what their origins say.
    private func check() {
        guard areFaultsOver else { return }
        let rounds =
            Double(now.microseconds(since: measuredFrom)) / Double(Self.roundMicroseconds)
        let honest = nodes.indices.filter { forgers[$0] == nil }
        let fingerprint = nodes[honest[0]]!.vitals.fingerprint
        if honest.allSatisfy({ nodes[$0]!.vitals.fingerprint == fingerprint }) {
            report.rounds = rounds
            checkAgreement(honest)
        } else if rounds > Self.roundsAtMost {
            fail("no agreement after \(Self.roundsAtMost) rounds")
        } else {
            plan(.check, afterMicroseconds: Self.roundMicroseconds / 4)
        }
    }

    private func checkAgreement(_ honest: [Int]) {
        // Of a thousand nodes some: their fingerprints are equal.
        let sample = honest.filter { isSmall || $0 % 100 == 0 }
        let origins = Set(sample.map { ids[$0] })
        let expected = sample.flatMap { own($0) }.sorted { $0.key < $1.key }
        for index in sample {
            let held = GossipKind.allCases.flatMap { nodes[index]!.entries(kind: $0, at: now) }
                .filter { isSmall || origins.contains($0.origin) }.sorted { $0.key < $1.key }
            let agrees = held.elementsEqual(expected) {
                $0.key == $1.key && $0.version == $1.version && $0.payload == $1.payload
            }
            if !agrees { fail("node \(index + 1) holds other entries than their origins") }
        }
        let isComplete = scenario.faultRounds == 0 || scenario.hostile > 0
        let entries = nodes[honest[0]]!.vitals.entries
        if isComplete, entries != honest.count * scenario.keysPerNode {
            fail("\(entries) entries are left")
        }
    }

    private func own(_ index: Int) -> [GossipEntry] {
        GossipKind.allCases.flatMap { nodes[index]!.entries(kind: $0, at: now) }
            .filter { $0.origin == ids[index] }
    }
}
