import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// Addresses that are read from a memory, each until its fixed point or its last step.
struct MemoryReadOperation: Sendable {
    var readings: [KanervaReading]
    /// Those of `readings` that the present step is about, and the sums of their counters so far.
    var asked: [Int] = []
    var sums: [KanervaSums] = []

    /// Begins a step of the readings that are not finished.
    mutating func beginStep() {
        asked = readings.indices.filter { !readings[$0].isFinished }
        sums = asked.map { KanervaSums(bits: readings[$0].memory.bits) }
    }

    /// Adds what a shard has summed. False if that does not fit what was asked.
    mutating func add(_ values: [Int32], _ active: [UInt32]) -> Bool {
        guard let bits = readings.first?.memory.bits, active.count == asked.count,
            values.count == asked.count * bits
        else { return false }
        for index in asked.indices {
            let own = Array(values[(index * bits)..<((index + 1) * bits)])
            sums[index].merge(KanervaSums(values: own, active: UInt64(active[index])))
        }
        return true
    }

    mutating func endStep() {
        for (index, reading) in asked.enumerated() { readings[reading].advance(sums[index]) }
    }
}

/// Sparse distributed memories. Hard locations live on all shards, and an access activates some
/// everywhere: writes go to every partition, and a step of a read sums what all shards sum, which
/// is exactly the sum over all hard locations.
extension CoordinatorNode {
    mutating func write(
        _ write: WriteMemory, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let memory = try memory(named: write.name)
        for vectors in bulk { _ = try unpacked(vectors, write.count, of: memory) }
        let number = begin(.write(count: UInt64(write.count)), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        let sequence = takeSequence()
        operation.sequence = sequence
        for partition in 0..<PartitionIndex(metadata.map.partitions) {
            ask(
                metadata.map.shard(of: partition),
                .shardMemoryWrite(
                    ShardMemoryWrite(
                        space: memory.space, partition: partition, count: write.count)),
                bulk: bulk, part: Int(partition), sequence: sequence, for: &operation,
                into: &directives)
        }
        resume(operation, into: &directives)
    }

    mutating func read(
        _ read: ReadMemory, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let memory = try memory(named: read.name)
        let readings = try unpacked(bulk[0], read.count, of: memory).map {
            KanervaReading(memory, at: $0, steps: Int(read.steps))
        }
        let number = begin(
            .memoryRead(MemoryReadOperation(readings: readings)), client, deadline)
        let operation = operations.removeValue(forKey: number)!
        nextStep(operation, into: &directives)
    }

    /// Asks all shards for the sums of the next step.
    private mutating func nextStep(
        _ operation: Operation, into directives: inout [CoordinatorDirective]
    ) {
        guard case .memoryRead(var read) = operation.kind else { return }
        read.beginStep()
        var operation = operation
        operation.kind = .memoryRead(read)
        let memory = read.readings[0].memory
        let addresses = Bytes.joined(read.asked.map { read.readings[$0].address.packed })
        for shard in sessions.indices {
            ask(
                ShardIndex(shard),
                .shardMemoryRead(
                    ShardMemoryRead(space: memory.space, count: UInt32(read.asked.count))),
                bulk: [addresses], part: shard, for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    func takeSums(_ bulk: [Bytes], _ operation: inout Operation) {
        guard case .memoryRead(var read) = operation.kind else { return }
        if !read.add(bulk[0].values(Int32.self), bulk[1].values(UInt32.self)) {
            operation.note(LociError(.internal, "A shard summed other vectors than asked for."))
        }
        operation.kind = .memoryRead(read)
    }

    /// All shards have answered a step, or one will not: without its sums nothing is known.
    mutating func advance(
        _ read: MemoryReadOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        if let failure = operation.failure { return fail(operation, failure, into: &directives) }
        var read = read
        read.endStep()
        var operation = operation
        operation.kind = .memoryRead(read)
        guard read.readings.allSatisfy(\.isFinished) else {
            return nextStep(operation, into: &directives)
        }
        let readings = read.readings
        let answer = MemoryAnswer(count: UInt32(readings.count), receipt: receipt(of: operation))
        self.answer(
            operation, .memoryAnswer(answer),
            bulk: [
                Bytes.joined(readings.map(\.address.packed)),
                Bytes(values: readings.map { UInt32($0.steps) }),
                Bytes(readings.map { $0.isFixedPoint ? 1 : 0 }),
                Bytes(values: readings.map { UInt32(clamping: $0.active) }),
            ], into: &directives)
    }

    private func unpacked(
        _ bytes: Bytes, _ count: UInt32, of memory: MemoryDefinition
    ) throws(LociError) -> [BinaryVector] {
        guard count <= memory.vectorsPerRequest else { throw memory.tooMany(Int(count)) }
        return try BinaryVector.unpacked(bytes, count: Int(count), bits: memory.bits)
    }
}
