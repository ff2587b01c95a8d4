import CWire
import LociBase
import LociModel

// What several messages hold, as protobuf-c lays it out.

extension Receipt {
    /// One that the sender left out is all zero.
    /// - Throws: INVALID_ARGUMENT if a tier is unknown or comes twice.
    init(_ pointer: UnsafeMutablePointer<Loci__Receipt>?) throws(LociError) {
        self.init()
        guard let layout = unsafe pointer?.pointee else { return }
        shardsAsked = unsafe layout.shards_asked
        shardsAnswered = unsafe layout.shards_answered
        partitions = unsafe layout.partitions
        pagesTouched = unsafe layout.pages_touched
        tiers = unsafe try TierCosts(layout.tiers, layout.n_tiers)
        bytesRead = unsafe layout.bytes_read
        vectorsScored = unsafe layout.vectors_scored
        locationsActive = unsafe layout.locations_active
        totalMicroseconds = unsafe layout.total_microseconds
        coordinatorMicroseconds = unsafe layout.coordinator_microseconds
        shardMicroseconds = unsafe layout.shard_microseconds
        scoringMicroseconds = unsafe layout.scoring_microseconds
        codesScanned = unsafe layout.codes_scanned
        wholePartitions = unsafe layout.whole_partitions
        rounds = unsafe layout.rounds
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Receipt> {
        let parts = unsafe tiers.layouts(in: arena)
        return unsafe arena.place(
            Loci__Receipt(
                base: ProtobufCMessage(), shards_asked: shardsAsked,
                shards_answered: shardsAnswered, partitions: partitions,
                pages_touched: pagesTouched, n_tiers: parts.count, tiers: arena.array(parts),
                bytes_read: bytesRead,
                vectors_scored: vectorsScored, locations_active: locationsActive,
                total_microseconds: totalMicroseconds,
                coordinator_microseconds: coordinatorMicroseconds,
                shard_microseconds: shardMicroseconds, scoring_microseconds: scoringMicroseconds,
                codes_scanned: codesScanned, whole_partitions: wholePartitions, rounds: rounds),
            loci__receipt__init)
    }
}

extension Tier {
    /// Number on the wire, from 1.
    var code: UInt32 { UInt32(rawValue) + 1 }

    init(decoded code: UInt32) throws(LociError) {
        guard let number = UInt8(exactly: code), number > 0, let tier = Tier(rawValue: number - 1)
        else {
            throw LociError(
                .invalidArgument, "\(code) is not the number of a tier.",
                advice: "Run the same version of Loci everywhere.")
        }
        self = tier
    }

    /// 0 stands for none.
    init?(decodedIfAny code: UInt32) throws(LociError) {
        if code == 0 { return nil }
        try self.init(decoded: code)
    }
}

extension TierCosts {
    init(
        _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Loci__TierCost>?>?, _ count: Int
    ) throws(LociError) {
        self.init()
        var seen: Set<Tier> = []
        let parts = unsafe try elements(pointers, count) { (layout) throws(LociError) in
            unsafe (try Tier(decoded: layout.tier), TierCost(layout))
        }
        for (tier, cost) in parts {
            guard seen.insert(tier).inserted else {
                throw LociError(.invalidArgument, "A receipt names the tier \(tier.name) twice.")
            }
            self[tier] = cost
        }
    }

    /// Tiers that had a part in it.
    func layouts(in arena: Arena) -> [UnsafeMutablePointer<Loci__TierCost>?] {
        unsafe Tier.allCases.filter { self[$0] != TierCost() }.map { tier in
            let cost = self[tier]
            return unsafe arena.place(
                Loci__TierCost(
                    base: ProtobufCMessage(), tier: tier.code, hits: cost.hits, soft: cost.soft,
                    hard: cost.hard, skipped: cost.skipped, bytes: cost.bytes,
                    wait_microseconds: cost.waitMicroseconds),
                loci__tier_cost__init)
        }
    }
}

extension TierCost {
    init(_ layout: Loci__TierCost) {
        self.init()
        hits = unsafe layout.hits
        soft = unsafe layout.soft
        hard = unsafe layout.hard
        skipped = unsafe layout.skipped
        bytes = unsafe layout.bytes
        waitMicroseconds = unsafe layout.wait_microseconds
    }
}

extension String {
    /// - Throws: INVALID_ARGUMENT if the bytes are not UTF-8.
    init(decoded data: ProtobufCBinaryData) throws(LociError) {
        let bytes = unsafe UnsafeBufferPointer(start: data.data, count: data.len)
        guard let text = unsafe String(validating: bytes, as: UTF8.self) else {
            throw LociError(
                .invalidArgument, "A name or text is not UTF-8.", advice: "Convert it to UTF-8.")
        }
        self = text
    }
}

extension ElementType {
    init(decoded code: UInt32) throws(LociError) {
        guard let type = ElementType(code: code) else {
            throw LociError(
                .invalidArgument, "\(code) is not the number of an element type.",
                advice: "Choose one of \(ElementType.names.joined(separator: ", ")).")
        }
        self = type
    }
}

extension Metric {
    init(decoded code: UInt32) throws(LociError) {
        guard let metric = Metric(rawValue: code) else {
            throw LociError(
                .invalidArgument, "\(code) is not the number of a metric.",
                advice: "Choose \(Metric.allCases.map(\.name).joined(separator: ", ")).")
        }
        self = metric
    }
}

/// A NaN would not equal itself, and no number of a message means one.
/// - Throws: INVALID_ARGUMENT if it is a NaN or an infinity.
func finite<Number: BinaryFloatingPoint>(_ number: Number) throws(LociError) -> Number {
    guard number.isFinite else {
        throw LociError(.invalidArgument, "A number in the message is a NaN or an infinity.")
    }
    return number
}

/// The texts of a repeated field.
/// - Throws: INVALID_ARGUMENT if one is not UTF-8.
func texts(
    _ pointer: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int
) throws(LociError) -> [String] {
    var result: [String] = []
    result.reserveCapacity(count)
    for index in 0..<count {
        guard let data = unsafe pointer?[index] else { continue }
        result.append(try unsafe String(decoded: data))
    }
    return result
}

/// The messages of a repeated field.
func elements<Layout, Element>(
    _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Layout>?>?, _ count: Int,
    _ element: (Layout) throws(LociError) -> Element
) throws(LociError) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(count)
    for index in 0..<count {
        guard let layout = unsafe pointers?[index]?.pointee else { continue }
        result.append(try element(layout))
    }
    return result
}
