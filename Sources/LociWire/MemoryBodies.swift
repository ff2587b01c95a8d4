public import LociBase
public import LociModel

// Sparse distributed memories over binary vectors: what is asked and answered. In bulk frames a
// vector of `n` bits is packed into `(n + 7) / 8` bytes, the lowest bit first.

/// Answer: `acknowledged`, once it is durable and every shard in touch has it.
public struct CreateMemory: Equatable, Sendable {
    public var name: String
    /// Of a vector.
    public var bits: UInt32
    /// Hard locations.
    public var locations: UInt64
    /// Hard locations within so many bits of an address are active.
    public var radius: UInt32
    /// Of the hard locations' addresses.
    public var seed: UInt64

    public init(name: String, bits: UInt32, locations: UInt64, radius: UInt32, seed: UInt64) {
        self.name = name
        self.bits = bits
        self.locations = locations
        self.radius = radius
        self.seed = seed
    }
}

public struct DropMemory: Equatable, Sendable {
    public var name: String
    public init(name: String) { self.name = name }
}

/// Bulk: `[addresses, data]`, `count` vectors each. Answer: `acknowledged`, once it is durable.
public struct WriteMemory: Equatable, Sendable {
    public var name: String
    public var count: UInt32

    public init(name: String, count: UInt32) {
        self.name = name
        self.count = count
    }
}

/// Bulk: `[addresses]`, `count` vectors. Answer: `memoryAnswer`.
public struct ReadMemory: Equatable, Sendable {
    public var name: String
    public var count: UInt32
    /// Steps at most, 1 to `Limits.steps`: what is read is the next step's address.
    public var steps: UInt32

    public init(name: String, count: UInt32, steps: UInt32 = 10) {
        self.name = name
        self.count = count
        self.steps = steps
    }
}

/// Bulk: `[data, steps: UInt32 each, whether the last step changed nothing: one byte each, active
/// hard locations in the last step: UInt32 each]`.
public struct MemoryAnswer: Equatable, Sendable {
    public var count: UInt32
    public var receipt: Receipt

    public init(count: UInt32, receipt: Receipt = Receipt()) {
        self.count = count
        self.receipt = receipt
    }
}

/// `WriteMemory` for the hard locations of one partition. Bulk the same. Answer: `acknowledged`,
/// once it is durable.
public struct ShardMemoryWrite: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var count: UInt32

    public init(space: SpaceID, partition: PartitionIndex, count: UInt32) {
        self.space = space
        self.partition = partition
        self.count = count
    }
}

/// One step, over all hard locations that live on the shard. Bulk: `[addresses]`. Answer:
/// `shardMemoryAnswer`.
public struct ShardMemoryRead: Equatable, Sendable {
    public var space: SpaceID
    public var count: UInt32

    public init(space: SpaceID, count: UInt32) {
        self.space = space
        self.count = count
    }
}

/// Bulk: `[sums of counters: Int32 for each bit of each vector, active hard locations: UInt32
/// each]`.
public struct ShardMemoryAnswer: Equatable, Sendable {
    public var count: UInt32
    public var receipt: Receipt

    public init(count: UInt32, receipt: Receipt = Receipt()) {
        self.count = count
        self.receipt = receipt
    }
}
