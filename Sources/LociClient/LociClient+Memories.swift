import LociBase
public import LociModel
import LociWire

/// What a memory gave back for one address.
public struct MemoryReading: Equatable, Sendable {
    /// What was read last.
    public let vector: BinaryVector
    /// Readings; each read at what the one before it gave.
    public let steps: Int
    /// Whether the last reading gave back its own address. Without, `vector` is no pattern that the
    /// memory is sure of.
    public let isFixedPoint: Bool
    /// Hard locations that the last reading activated.
    public let active: Int
}

extension LociClient {
    /// Creates an empty sparse distributed memory over binary vectors.
    /// - Parameters:
    ///   - locations: Hard locations, each with an int8 counter for every bit. At most a tenth as
    ///     many random patterns can be recalled, a hundredth as many from much noise.
    ///   - radius: Hard locations within so many bits of an address are active; best about a
    ///     hundredth to a thousandth of all.
    ///   - seed: Of the hard locations' addresses.
    /// - Throws: ALREADY_EXISTS; INVALID_ARGUMENT, also for a radius at which an address activates
    ///   more hard locations than shards can bear.
    public func createMemory(
        _ name: String, bits: Int, locations: UInt64, radius: Int, seed: UInt64 = 0
    ) async throws(LociError) {
        guard let bits = UInt32(exactly: bits), let radius = UInt32(exactly: radius) else {
            throw LociError(.invalidArgument, "Bits and radius must not be negative.")
        }
        let body = CreateMemory(
            name: name, bits: bits, locations: locations, radius: radius, seed: seed)
        _ = try await call(.createMemory(body))
    }

    /// Removes a memory and all that is in it.
    /// - Throws: NOT_FOUND.
    public func dropMemory(_ name: String) async throws(LociError) {
        _ = try await call(.dropMemory(DropMemory(name: name)))
    }

    /// Adds data to a memory at addresses of the same number; at themselves if there are none.
    /// Durable when it returns. A write is no change that can be repeated without effect: after a
    /// failure some vectors may be in some hard locations, and writing them again counts twice
    /// there. Recall bears that.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT for vectors of another length; what else fails says in
    ///   its advice that some may be written.
    public func writeMemory(
        _ name: String, data: [BinaryVector], at addresses: [BinaryVector]? = nil
    ) async throws(LociError) -> Outcome {
        let addresses = addresses ?? data
        guard addresses.count == data.count else {
            throw LociError(
                .invalidArgument,
                "\(addresses.count) addresses do not go with \(data.count) vectors of data.",
                advice: "Give one address for every vector.")
        }
        let parts = try await parts(of: name, addresses + data, count: data.count)
        let answers = try await Chunks.run(parts) { part async throws(LociError) in
            let body = WriteMemory(name: name, count: UInt32(part.count))
            let bulk = [addresses[part], data[part]].map { Bytes.joined($0.map(\.packed)) }
            do throws(LociError) {
                return try Outcome(try await self.call(.writeMemory(body), bulk: bulk))
            } catch {
                throw error.ofUnfinishedMemoryWrite
            }
        }
        return Outcome(
            count: answers.reduce(0) { $0 + $1.count }, receipt: .sum(answers.map(\.receipt)))
    }

    /// Reads a memory at each address, and again at what that gave, until it gives back its own
    /// address or after so many steps.
    /// - Parameter steps: 1 to `Limits.steps`; 1 reads data that was written at other addresses.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT; UNAVAILABLE if a shard does not answer, for without
    ///   its sums nothing is known.
    public func readMemory(
        _ name: String, at addresses: [BinaryVector], steps: Int = 10
    ) async throws(LociError) -> (readings: [MemoryReading], receipt: Receipt) {
        let parts = try await parts(of: name, addresses, count: addresses.count)
        let answers = try await Chunks.run(parts) { part async throws(LociError) in
            let body = ReadMemory(
                name: name, count: UInt32(part.count), steps: UInt32(clamping: steps))
            let answer = try await self.call(
                .readMemory(body), bulk: [Bytes.joined(addresses[part].map(\.packed))])
            guard case .memoryAnswer(let memory) = answer.body, answer.bulk.count == 4 else {
                throw unexpected(answer)
            }
            let bits = addresses[part.lowerBound].count
            return (try Self.readings(answer.bulk, part.count, bits: bits), memory.receipt)
        }
        return (answers.flatMap(\.0), .sum(answers.map(\.1)))
    }

    private static func readings(
        _ bulk: [Bytes], _ count: Int, bits: Int
    ) throws(LociError) -> [MemoryReading] {
        let vectors = try BinaryVector.unpacked(bulk[0], count: count, bits: bits)
        let steps = bulk[1].values(UInt32.self)
        let active = bulk[3].values(UInt32.self)
        guard steps.count == count, bulk[2].count == count, active.count == count else {
            throw LociError(.internal, "A memory's answer is about other vectors.")
        }
        return vectors.indices.map {
            MemoryReading(
                vector: vectors[$0], steps: Int(steps[$0]), isFixedPoint: bulk[2][$0] == 1,
                active: Int(active[$0]))
        }
    }

    /// How a call about so many vectors is cut into requests.
    private func parts(
        of name: String, _ vectors: [BinaryVector], count: Int
    ) async throws(LociError) -> [Range<Int>] {
        guard let memory = try await describe().memory(named: name) else {
            throw LociError(
                .notFound, "There is no memory '\(name)'.",
                advice: "`loci memory list` shows those that exist.")
        }
        if let other = vectors.first(where: { $0.count != memory.bits }) {
            throw LociError(
                .invalidArgument,
                "A vector of \(other.count) bits is none of '\(name)', which has \(memory.bits).")
        }
        return Chunks.ranges(
            count: count, itemBytes: memory.vectorBytes * 2,
            itemLimit: memory.vectorsPerRequest)
    }
}

extension LociError {
    /// Of a write that may have been done in part.
    fileprivate var ofUnfinishedMemoryWrite: LociError {
        let warning =
            "Some of the vectors may be in the memory: writing them again counts them twice there."
        return LociError(
            code, message, advice: advice.isEmpty ? warning : "\(advice) \(warning)")
    }
}
