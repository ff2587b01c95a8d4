import LociBase
public import LociPlacement

/// What a run of gossip in virtual time goes through.
public struct GossipScenario: Sendable {
    public var nodes: Int
    public var seed: UInt64
    /// Chances of each message, all the run long.
    public var loss = 0.0
    public var duplication = 0.0
    /// Chance of a message that is 50 times as late as others, so later than many sent after it.
    public var straggling = 0.0
    public var delayMicroseconds: ClosedRange<UInt64> = 1000...50_000
    public var keysPerNode = 1
    public var payloadBytes = 16
    /// Rounds in which what follows happens; then the cluster is left to come to rest.
    public var faultRounds = 0
    public var crashes = 0
    /// Times that the nodes are cut in two.
    public var cuts = 0
    /// Nodes that lie in every message.
    public var hostile = 0
    /// Whether nodes know who may publish.
    public var areOriginsKnown = true
    public var limits: GossipLimits

    public init(nodes: Int, seed: UInt64) {
        self.nodes = nodes
        self.seed = seed
        limits = GossipLimits()
        limits.timeToLiveAtMost = 3_600_000_000
    }

    /// An entry of each node, on its way to all others through a network that loses messages, and
    /// where it does also repeats and delays some.
    public static func spread(nodes: Int, seed: UInt64, loss: Double) -> GossipScenario {
        var scenario = GossipScenario(nodes: nodes, seed: seed)
        scenario.loss = loss
        scenario.duplication = loss / 3
        scenario.straggling = loss / 10
        return scenario
    }

    /// A life with everything in it, drawn from the seed.
    public static func life(seed: UInt64, nodes: Int, hostile: Int = 0) -> GossipScenario {
        var random = SeededRandom(seed: seed)
        var scenario = GossipScenario(nodes: nodes, seed: seed)
        scenario.loss = random.unit() * 0.3
        scenario.duplication = random.unit() * 0.2
        scenario.straggling = random.unit() * 0.05
        scenario.keysPerNode = 1 + random.below(4)
        scenario.faultRounds = 20 + random.below(20)
        scenario.crashes = random.below(nodes)
        scenario.cuts = random.below(3)
        scenario.hostile = hostile
        if hostile > 0 {
            scenario.areOriginsKnown = random.chance(0.5)
            scenario.limits.timeToLiveAtMost = 60_000_000
            scenario.limits.entries = 192
        }
        return scenario
    }
}

/// What can be said of a run.
public struct GossipReport: Equatable, Sendable {
    /// What went wrong; nil if nothing did.
    public var violation: String?
    /// Rounds from the last word of all nodes, or from the end of the faults, until all tables were
    /// the same, in quarters of a round.
    public var rounds = 0.0
    /// Hash over everything that was delivered, and when. The same seed gives the same.
    public var digest: UInt64 = 0
    public var messages: UInt64 = 0
    public var messagesLost: UInt64 = 0
    public var crashes = 0
    public var cuts = 0
    public var forged: UInt64 = 0
    public var unasked: UInt64 = 0
    public var evicted: UInt64 = 0
    public var overBudget: UInt64 = 0
    /// Bytes that a node sent in a round, on average and at most.
    public var meanBytesPerRound = 0.0
    public var mostBytesPerRound: UInt64 = 0
    public var mostMemoryBytes = 0
    /// Entries in each table at the end.
    public var entries = 0

    /// Of the number of nodes, to base 2: what the rounds are held against.
    public static func logarithm(of nodes: Int) -> Double {
        // Between two powers of two by interpolation; no Foundation is needed for that.
        let floor = nodes.bitWidth - 1 - nodes.leadingZeroBitCount
        return Double(floor) + Double(nodes) / Double(1 << floor) - 1
    }
}
