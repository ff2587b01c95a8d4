import LociBase
import LociModel
import LociSearch
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A shard with a memory, and the counters that it should have.
private struct MemoryStage {
    var shard: ShardStage
    let memory: MemoryDefinition
    var expected: [UInt64: Bytes] = [:]
    /// Writes that have not been answered, in order.
    var open: [(request: UInt64, addresses: [BinaryVector], data: [BinaryVector])] = []
    /// All records that became durable.
    var log: [LogRecord] = []
    private var catalog = Catalog()

    init(budgetBytes: Int, locations: UInt64 = 3000, radius: Int = 110) throws {
        shard = ShardStage(dram: .dram(budgetBytes: budgetBytes))
        memory = try catalog.createMemory(
            name: "m", bits: 250, locations: locations, radius: radius, seed: 3)
        shard.install(catalog)
    }

    mutating func write(_ addresses: [BinaryVector], _ data: [BinaryVector]) {
        let body = ShardMemoryWrite(
            space: memory.space, partition: 0, count: UInt32(addresses.count))
        let request = shard.send(
            .shardMemoryWrite(body),
            bulk: [addresses, data].map { Bytes.joined($0.map(\.packed)) }, isMutation: true)
        open.append((request, addresses, data))
    }

    mutating func commit() { log += shard.commit() }

    /// Lays answered writes into what is expected. Returns the errors.
    mutating func takeAnswers() -> [LociError] {
        var errors: [LociError] = []
        while let first = open.first, let answer = shard.answers[first.request] {
            open.removeFirst()
            switch answer.body {
            case .acknowledged: learn(first.addresses, first.data)
            case .failure(let error): errors.append(error)
            default: Issue.record("answered with another body")
            }
        }
        return errors
    }

    private mutating func learn(_ addresses: [BinaryVector], _ data: [BinaryVector]) {
        for (address, pattern) in zip(addresses, data) {
            for location in memory.activeLocations(of: address, in: 0..<memory.locations) {
                expected[location] = KanervaCounters.adding(
                    [pattern], to: expected[location] ?? Bytes(zeros: memory.bits))
            }
        }
    }

    /// Lets everything happen that is still to happen.
    mutating func settle() {
        while !shard.loads.isEmpty || !shard.commits.isEmpty || shard.node.isUnfinished {
            shard.loadAll()
            commit()
            if shard.node.isUnfinished { shard.handle(.woken) }
        }
    }

    mutating func sums(at addresses: [BinaryVector]) -> [KanervaSums]? {
        let request = shard.send(
            .shardMemoryRead(
                ShardMemoryRead(space: memory.space, count: UInt32(addresses.count))),
            bulk: [Bytes.joined(addresses.map(\.packed))])
        settle()
        guard let answer = shard.answers[request], case .shardMemoryAnswer = answer.body else {
            return nil
        }
        let values = answer.bulk[0].values(Int32.self)
        let active = answer.bulk[1].values(UInt32.self)
        return addresses.indices.map {
            KanervaSums(
                values: Array(values[($0 * memory.bits)..<(($0 + 1) * memory.bits)]),
                active: UInt64(active[$0]))
        }
    }

    func expectedSums(at address: BinaryVector) -> KanervaSums {
        var sums = KanervaSums(bits: memory.bits)
        for location in memory.activeLocations(of: address, in: 0..<memory.locations) {
            sums.add(expected[location] ?? Bytes(zeros: memory.bits))
        }
        return sums
    }
}

private func vectors(_ count: Int, _ random: inout SeededRandom) -> [BinaryVector] {
    (0..<count).map { _ in BinaryVector(random: 250, using: &random) }
}

@Suite struct MemoryShardTests {
    /// Writes come while the pages of earlier ones are on their way and their records are being
    /// made durable; the first budget holds hardly more than the 47 pages of the memory.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func noWriteIsLostHoweverPagesAndCommitsCome(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var stage = try MemoryStage(budgetBytes: 80 * (16 << 10) * Int(seed))
        for _ in 0..<400 {
            switch random.below(4) {
            case 0:
                let data = vectors(1 + random.below(3), &random)
                stage.write(random.chance(0.5) ? data : vectors(data.count, &random), data)
            case 1: stage.commit()
            default:
                stage.shard.release()
                if stage.shard.node.isUnfinished { stage.shard.handle(.woken) }
                if !stage.shard.loads.isEmpty {
                    stage.shard.load(random.below(stage.shard.loads.count))
                }
            }
            #expect(stage.takeAnswers().isEmpty)
        }
        stage.settle()
        #expect(stage.takeAnswers().isEmpty)
        #expect(stage.open.isEmpty)
        let addresses = vectors(20, &random)
        let found = stage.sums(at: addresses)
        let sums = try #require(found)
        for (address, sum) in zip(addresses, sums) {
            #expect(sum == stage.expectedSums(at: address))
            #expect(sum.active > 0)
        }
    }

    @Test func replayingTheLogTwiceGivesTheSamePages() throws {
        var random = SeededRandom(seed: 4)
        var stage = try MemoryStage(budgetBytes: 4 << 20)
        for _ in 0..<20 {
            let data = vectors(2, &random)
            stage.write(data, data)
            if random.chance(0.5) { stage.settle() }
        }
        stage.settle()
        #expect(stage.takeAnswers().isEmpty && stage.open.isEmpty)
        var catalog = Catalog()
        _ = try catalog.createMemory(
            name: "m", bits: 250, locations: stage.memory.locations, radius: 110, seed: 3)
        var disk: [PageAddress: Bytes] = [:]
        for _ in 0..<2 {
            var state = PartitionState(partition: 0, partitions: 1, tuning: SearchTuning())
            for record in [.install(catalog)] + stage.log {
                var effects = PartitionState.Effects()
                state.apply(record, effects: &effects)
                for write in effects.writes {
                    var page = disk[write.address] ?? Bytes(zeros: write.pageBytes)
                    page.replace(at: write.offset, with: write.bytes)
                    disk[write.address] = page
                }
            }
            #expect(disk == stage.shard.disk)
        }
        #expect(!disk.isEmpty)
    }

    @Test func aFullDiskRefusesAWriteAndCountsNothingOfIt() throws {
        var random = SeededRandom(seed: 5)
        var stage = try MemoryStage(budgetBytes: 4 << 20)
        let data = vectors(3, &random)
        stage.write([data[0]], [data[0]])
        stage.settle()
        #expect(stage.takeAnswers().isEmpty && stage.open.isEmpty)
        stage.write([data[1]], [data[1]])
        stage.write([data[2]], [data[2]])
        stage.shard.loadAll()
        _ = stage.shard.commits.removeFirst()
        stage.shard.handle(
            .committed(0, .failure(LociError(.resourceExhausted, "The disk is full."))))
        #expect(stage.takeAnswers().map(\.code) == [.resourceExhausted])
        stage.settle()
        // The one that waited went on, from the counters without what was refused.
        #expect(stage.takeAnswers().isEmpty && stage.open.isEmpty)
        let found = stage.sums(at: data)
        let sums = try #require(found)
        #expect(sums == data.map { stage.expectedSums(at: $0) })
    }

    /// A vector's pages have to be in memory together.
    @Test func whatDoesNotFitInMemoryIsRefusedAndTheNextGoesOn() throws {
        var random = SeededRandom(seed: 7)
        var stage = try MemoryStage(budgetBytes: 20 * (16 << 10))
        let data = vectors(5, &random)
        for vector in data { stage.write([vector], [vector]) }
        stage.settle()
        #expect(stage.takeAnswers().map(\.code) == data.map { _ in .resourceExhausted })
        #expect(stage.open.isEmpty && stage.log.isEmpty)
        let sums = stage.sums(at: data)
        #expect(sums?.map(\.values) == data.map { _ in [Int32](repeating: 0, count: 250) })
    }

    /// All 140,000 hard locations are active; a record can hold 89,240 of them.
    @Test func moreThanARecordHoldsIsRefusedAndTheNextGoesOn() throws {
        var random = SeededRandom(seed: 8)
        var stage = try MemoryStage(budgetBytes: 256 << 20, locations: 140_000, radius: 250)
        let data = vectors(4, &random)
        stage.write(Array(data[..<2]), Array(data[..<2]))
        stage.write([data[2]], [data[2]])
        stage.settle()
        let errors = stage.takeAnswers()
        #expect(errors.map(\.code) == [.resourceExhausted, .resourceExhausted])
        #expect(errors.allSatisfy { $0.advice.contains("radius") })
        #expect(stage.open.isEmpty && stage.log.isEmpty && stage.shard.begun == 0)
        // What it refuses at is no state that it stays in.
        stage.write([data[3]], [data[3]])
        stage.settle()
        #expect(stage.takeAnswers().count == 1)
        // A read of one address is possible; of nine it is not.
        let nothing = [Int32](repeating: 0, count: 250)
        #expect(stage.sums(at: [data[0]])?.map(\.values) == [nothing])
        #expect(stage.sums(at: vectors(9, &random)) == nil)
    }

    /// Of 47 pages each vector activates most; a task of two would need more than a round.
    @Test func aTaskAsksForNoPagesOfAVectorThatHasToWait() throws {
        var random = SeededRandom(seed: 10)
        var stage = try MemoryStage(budgetBytes: 60 * (16 << 10))
        let geometry = FieldGeometry(stage.memory, partitions: 1)
        let data = vectors(2, &random)
        stage.write(data, data)
        let active = stage.memory.activeLocations(of: data[0], in: 0..<stage.memory.locations)
        let pages = Set(active.map { geometry.place(of: $0).address })
        #expect(Set(stage.shard.loads.map(\.address)) == pages)
        stage.settle()
        #expect(stage.takeAnswers().isEmpty && stage.open.isEmpty && stage.log.count == 2)
    }

    @Test func aReadBringsInEachPageOnceForAllAddresses() throws {
        var random = SeededRandom(seed: 11)
        var stage = try MemoryStage(budgetBytes: 30 * (16 << 10))
        #expect(stage.sums(at: vectors(20, &random)) != nil)
        #expect((40...47).contains(stage.shard.ordered))
    }

    /// Addresses of 2^23 words in all are compared with each vector, half of them in one turn.
    @Test func othersHaveTheirTurnWhileActiveLocationsAreLookedFor() throws {
        var random = SeededRandom(seed: 9)
        var stage = try MemoryStage(budgetBytes: 8 << 20, locations: 1 << 21, radius: 92)
        let data = vectors(2, &random)
        stage.write(data, data)
        var turns = 1
        while stage.shard.node.isUnfinished {
            #expect(stage.shard.loads.isEmpty && stage.shard.commits.isEmpty)
            let ping = stage.shard.send(.ping)
            #expect(stage.shard.answers[ping] != nil)
            stage.shard.handle(.woken)
            turns += 1
        }
        #expect((4...6).contains(turns))
        stage.settle()
        #expect(stage.takeAnswers().isEmpty && stage.open.isEmpty)
        let request = stage.shard.request
        let found = stage.sums(at: data)
        #expect(stage.shard.request == request + 1)
        let sums = try #require(found)
        #expect(sums == data.map { stage.expectedSums(at: $0) })
        #expect(sums.allSatisfy { $0.active > 0 })
    }

    @Test func aDroppedMemoryIsGoneAndItsSpaceWithIt() throws {
        var random = SeededRandom(seed: 6)
        var stage = try MemoryStage(budgetBytes: 4 << 20)
        let data = vectors(2, &random)
        stage.write(data, data)
        stage.settle()
        #expect(stage.takeAnswers().isEmpty)
        var catalog = Catalog()
        _ = try catalog.createMemory(
            name: "m", bits: 250, locations: stage.memory.locations, radius: 110, seed: 3)
        _ = catalog.dropMemory(named: "m")
        stage.shard.install(catalog)
        stage.write(data, data)
        #expect(stage.takeAnswers().map(\.code) == [.unavailable])
        #expect(stage.sums(at: data) == nil)
    }
}
