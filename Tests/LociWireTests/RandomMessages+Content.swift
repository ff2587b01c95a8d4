import LociBase
import LociModel
import LociWire

/// Completions, reports and binary memories.
extension RandomMessages {
    mutating func recall() -> Float { flag() ? 0 : Float(random.below(1000)) / 1000 }

    mutating func radius() -> Float { flag() ? 0 : 1 + Float(random.unit()) * 10 }

    mutating func setting(recall: Float) -> RecallSetting {
        RecallSetting(recall: recall, probes: max(1, number()), radius: 1 + Float(random.unit()))
    }

    mutating func tierBytes(_ tier: Tier) -> TierBytes { TierBytes(tier: tier, bytes: number()) }

    private mutating func tuning() -> [RecallSetting] {
        (0..<random.below(5)).map { index in setting(recall: 0.5 + Float(index) / 10) }
    }

    mutating func report() -> CollectionReport {
        var report = CollectionReport()
        report.points = number()
        report.locations = number()
        report.generation = number()
        report.rows = number()
        report.staleRows = number()
        report.splits = number()
        report.merges = number()
        report.moved = number()
        report.evaluated = number()
        report.longestPosting = number()
        report.postingLengths = (0..<random.below(65)).map { _ in number() }
        report.codeBytes = number()
        report.vectorBytes = number()
        report.payloadBytes = number()
        report.indexBytes = number()
        report.tableBytes = number()
        report.locationBytes = number()
        report.copies = number()
        report.shards = number()
        report.tiers = Tier.allCases.filter { _ in flag() }.map { tierBytes($0) }
        report.isUnroutable = flag()
        report.meanPartitions = random.unit() * 1000
        report.recallEstimate = recall()
        report.tuning = tuning()
        report.receipt = receipt()
        return report
    }

    mutating func aboutContent(_ kind: Int) -> (Body, [Bytes]) {
        switch kind {
        case 59:
            let body = Complete(
                collection: name(), steps: 1 + UInt32(random.below(100)),
                beta: Float(random.unit()), probes: number(), radius: radius(), recall: recall())
            return (.complete(body), [floats(7)])
        case 60:
            let body = CompletionAnswer(
                steps: number(), hasConverged: flag(), familiarity: Float(random.unit()),
                beta: Float(random.unit()), receipt: receipt(), isDegraded: flag())
            return (.completionAnswer(body), [floats(7)])
        case 61:
            let body = ShardComplete(space: number(), beta: 0.5 + Float(random.unit()))
            return (.shardComplete(body), [floats(7), bytes(random.below(5) * 8)])
        case 62:
            let body = PartialCompletion(
                maximum: random.unit() * 200 - 100, sum: random.unit() * 100, rows: number(),
                isDegraded: flag(), receipt: receipt(), mean: random.unit(),
                squaredDeviations: random.unit() * 1e9, nearestSquaredNorm: random.unit() * 1e6)
            let sum = Bytes(values: (0..<7).map { _ in random.unit() * 200 - 100 })
            return (.partialCompletion(body), [sum])
        case 63: return (.collectionInfo(CollectionInfo(collection: name())), [])
        case 64: return (.shardCollectionInfo(ShardCollectionInfo(space: number())), [])
        case 65: return (.collectionReport(report()), [])
        case 66:
            return (.storeTuning(StoreTuning(collection: name(), tuning: tuning())), [])
        default: return aboutMemories(kind)
        }
    }

    private mutating func aboutMemories(_ kind: Int) -> (Body, [Bytes]) {
        let n = 1 + random.below(5)
        let count = UInt32(n)
        switch kind {
        case 67:
            let body = CreateMemory(
                name: name(), bits: number(), locations: number(), radius: number(),
                seed: number())
            return (.createMemory(body), [])
        case 68: return (.dropMemory(DropMemory(name: name())), [])
        case 69:
            return (.writeMemory(WriteMemory(name: name(), count: count)), addressesAndData(n))
        case 70:
            let body = ReadMemory(name: name(), count: count, steps: 1 + UInt32(random.below(100)))
            return (.readMemory(body), [bytes(n * 3)])
        case 71:
            let body = MemoryAnswer(count: count, receipt: receipt())
            return (.memoryAnswer(body), [bytes(n * 3), bytes(n * 4), bytes(n), bytes(n * 4)])
        case 72:
            let body = ShardMemoryWrite(space: number(), partition: number(), count: count)
            return (.shardMemoryWrite(body), addressesAndData(n))
        case 73:
            let body = ShardMemoryRead(space: number(), count: count)
            return (.shardMemoryRead(body), [bytes(n * 3)])
        default:
            let body = ShardMemoryAnswer(count: count, receipt: receipt())
            return (.shardMemoryAnswer(body), [bytes(n * 4 * 17), bytes(n * 4)])
        }
    }

    private mutating func addressesAndData(_ count: Int) -> [Bytes] {
        [bytes(count * 3), bytes(count * 3)]
    }
}
