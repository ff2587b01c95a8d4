import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Sparse distributed memories: a write adds to the counters of the hard locations that live here
/// and are active; a read sums them.
extension ShardNode {
    // MARK: Reading

    mutating func read(
        _ read: ShardMemoryRead, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        do throws(LociError) {
            let home = workers.keys.sorted()
            guard let first = home.first else { throw unknownSpace(read.space) }
            let memory = try memory(read.space, first)
            let addresses = try vectors(bulk[0], read.count, of: memory)
            let task = MemoryReadTask(
                memory, addresses, in: home, partitions: settings.partitions, asker: asker)
            begin(.memoryRead(task), into: &directives)
        } catch {
            refuse(asker, error, into: &directives)
        }
    }

    mutating func run(
        _ read: inout MemoryReadTask, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        if read.isLooking {
            do throws(LociError) { try read.look() } catch { task.failure = error }
            task.isPausing = read.isLooking
            if read.isLooking { return [] }
        }
        let hasAdded = read.add(task.held)
        if !read.isDone {
            if !hasAdded { return read.plan(most: roundBytes) }
            task.isPausing = true
            return []
        }
        task.receipt.partitions = UInt32(read.partitions)
        let sums = read.sums.map { Bytes(values: $0.values) }
        let active = read.sums.map { UInt32(clamping: $0.active) }
        answer(
            read.asker,
            .shardMemoryAnswer(
                ShardMemoryAnswer(
                    count: UInt32(read.sums.count), receipt: finish(task.receipt, read.asker))),
            bulk: [Bytes.joined(sums), Bytes(values: active)], into: &directives)
        return []
    }

    // MARK: Writing

    /// - Throws: What refuses it; it then changes nothing.
    mutating func write(
        _ write: ShardMemoryWrite, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) throws(LociError) {
        let memory = try memory(write.space, write.partition)
        let new = MemoryWrite(
            asker: asker, memory: memory,
            addresses: try vectors(bulk[0], write.count, of: memory),
            data: try vectors(bulk[1], write.count, of: memory))
        guard workers[write.partition]!.memoryWrites.hasRoom(for: new) else {
            throw LociError(
                .resourceExhausted,
                "Shard \(settings.shard) has "
                    + "\(workers[write.partition]!.memoryWrites.waiting.count) writes of memories "
                    + "waiting.", advice: "Send fewer at once, or try again later.")
        }
        workers[write.partition]!.memoryWrites.append(new)
        writeMemories(write.partition, into: &directives)
    }

    /// Begins the next task of a partition, unless one is on its way.
    private mutating func writeMemories(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        guard !workers[partition]!.memoryWrites.isBeginning else { return }
        workers[partition]!.memoryWrites.isBeginning = true
        defer { workers[partition]!.memoryWrites.isBeginning = false }
        while !workers[partition]!.memoryWrites.isBusy,
            let next = workers[partition]!.memoryWrites.waiting.first
        {
            workers[partition]!.memoryWrites.isBusy = true
            let task = MemoryWriteTask(next.memory, partition, partitions: settings.partitions)
            begin(.memoryWrite(task), into: &directives)
        }
    }

    /// Nothing else writes to the task's pages until its record is applied.
    mutating func run(
        _ write: inout MemoryWriteTask, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        guard write.hasAsked else { return gather(&write, &task, into: &directives) }
        do throws(LociError) {
            try enqueue(
                write.record(task.held), write.partition,
                .memoryWritten(write.askers, task.receipt))
        } catch {
            task.failure = error
        }
        return []
    }

    /// Gathers vectors for one turn. Returns the pages of those that were gathered; none if there
    /// is more to gather, or nothing to be written.
    private mutating func gather(
        _ write: inout MemoryWriteTask, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        let partition = write.partition
        while true {
            refuseWritesOfDropped(write.memory, partition, into: &directives)
            switch workers[partition]!.memoryWrites.gather(
                into: &write, most: roundBytes, at: now)
            {
            case .paused:
                task.isPausing = true
                return []
            case .refused(let asker, let error): refuse(asker, error, into: &directives)
            case .complete:
                if !write.isEmpty {
                    write.hasAsked = true
                    return write.needs
                }
                // No hard location that lives here is active.
                acknowledge(write.askers, Receipt(), into: &directives)
                guard let next = workers[partition]!.memoryWrites.waiting.first else {
                    workers[partition]!.memoryWrites.isBusy = false
                    return []
                }
                write = MemoryWriteTask(
                    next.memory, partition, partitions: settings.partitions)
            }
        }
    }

    /// Refuses the writes that are next if their memory is gone.
    private mutating func refuseWritesOfDropped(
        _ memory: MemoryDefinition, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        if workers[partition]!.state.catalog.memory(space: memory.space) == memory { return }
        while workers[partition]!.memoryWrites.waiting.first?.memory == memory {
            let asker = workers[partition]!.memoryWrites.removeFirst().asker
            refuse(asker, unknownSpace(memory.space), into: &directives)
        }
    }

    /// The record is durable and applied.
    mutating func memoryWritten(
        _ askers: [Asker], _ receipt: Receipt, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        acknowledge(askers, receipt, into: &directives)
        workers[partition]!.memoryWrites.isBusy = false
        writeMemories(partition, into: &directives)
    }

    /// Nothing of the task was written. A request of which some vectors were fails with it.
    mutating func memoryWriteFailed(
        _ askers: [Asker], _ error: LociError, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        for asker in askers { refuse(asker, error, into: &directives) }
        if let first = workers[partition]!.memoryWrites.waiting.first, first.done > 0 {
            workers[partition]!.memoryWrites.removeFirst()
            refuse(first.asker, error, into: &directives)
        }
        workers[partition]!.memoryWrites.isBusy = false
        writeMemories(partition, into: &directives)
    }

    private func acknowledge(
        _ askers: [Asker], _ receipt: Receipt, into directives: inout [ShardDirective]
    ) {
        var receipt = receipt
        receipt.partitions = 1
        for asker in askers {
            let done = Acknowledged(count: 0, receipt: finish(receipt, asker))
            answer(asker, .acknowledged(done), into: &directives)
        }
    }

    // MARK: Checks

    private func memory(
        _ space: SpaceID, _ partition: PartitionIndex
    ) throws(LociError) -> MemoryDefinition {
        guard let memory = workers[partition]?.state.catalog.memory(space: space) else {
            throw unknownSpace(space)
        }
        return memory
    }

    private func vectors(
        _ bytes: Bytes, _ count: UInt32, of memory: MemoryDefinition
    ) throws(LociError) -> [BinaryVector] {
        guard count <= memory.vectorsPerRequest else { throw memory.tooMany(Int(count)) }
        return try BinaryVector.unpacked(bytes, count: Int(count), bits: memory.bits)
    }
}
