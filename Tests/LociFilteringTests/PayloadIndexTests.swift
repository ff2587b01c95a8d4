import LociBase
import LociModel
import Testing

@testable import LociSearch

/// Indexes beside the payloads that they were told.
struct IndexStage {
    static let indexed = [["a"], ["b"], ["a", "b"], ["key with `"]]
    var random: SeededRandom
    var indexes: PayloadIndexes
    var payloads: [UInt32: (JSON, Bytes)] = [:]
    /// Documents of few and many distinct values, or any JSON.
    var isPlain: Bool

    init(seed: UInt64, isPlain: Bool = false) throws {
        random = SeededRandom(seed: seed)
        indexes = try PayloadIndexes(Self.indexed.map { try FieldPath(Condition.text($0)) })
        self.isPlain = isPlain
    }

    mutating func payload() -> (JSON, Bytes) {
        if !isPlain, random.chance(0.05) { return (.object([]), Bytes(utf8: "{\"a\": 1")) }
        let value: JSON =
            isPlain
            ? .object([
                ("a", .number(random.below(JSON.numbers.count))),
                ("b", .string("name \(random.below(1500))")),
            ])
            : .object(JSON.fields(&random, depth: 0))
        return (value, Bytes(utf8: value.text(&random)))
    }

    mutating func change(cells: Int) {
        let cell = UInt32(random.below(cells))
        if payloads.removeValue(forKey: cell) != nil {
            indexes.remove(cell: cell)
            if random.chance(0.3) { return }
        }
        let new = payload()
        payloads[cell] = new
        indexes.insert(cell: cell, payload: new.1)
    }

    func matching(_ condition: Condition) -> CellSet {
        var result = CellSet()
        for (cell, payload) in payloads where condition.holds(payload.0) { result.insert(cell) }
        return result
    }

    /// The cells that a search with this plan would return.
    func answer(_ filter: Filter) -> CellSet {
        var result: CellSet
        switch FilterPlan(filter, indexes) {
        case .cells(let cells): return cells
        case .within(let cells, let residual):
            result = cells
            result.keep { residual.matches(payload: payloads[$0]!.1) }
        case .payload:
            result = indexes.live
            result.keep { filter.matches(payload: payloads[$0]!.1) }
        }
        return result
    }
}

@Suite struct PayloadIndexTests {
    @Test(arguments: 0..<6)
    func `indexes answer as a scan of all payloads, under inserts, replacements and removals`(
        seed: Int
    ) throws {
        var stage = try IndexStage(seed: UInt64(seed), isPlain: seed % 2 == 1)
        var kinds = [0, 0, 0]
        for round in 0..<30 {
            for _ in 0..<150 { stage.change(cells: 300 + 20 * round) }
            for turn in 0..<6 {
                let paths = turn < 3 ? IndexStage.indexed : Condition.paths
                let condition = Condition.random(&stage.random, paths: paths)
                let text = condition.text(&stage.random)
                let filter = try Filter(text)
                #expect(stage.answer(filter) == stage.matching(condition), "\(text)")
                switch FilterPlan(filter, stage.indexes) {
                case .cells: kinds[0] += 1
                case .within: kinds[1] += 1
                case .payload: kinds[2] += 1
                }
                if turn < 3, case .cells = FilterPlan(filter, stage.indexes) { continue }
                #expect(turn >= 3, "all fields are indexed: \(text)")
            }
            #expect(stage.indexes.liveCount == stage.payloads.count)
        }
        #expect(kinds.allSatisfy { $0 > 1 }, "\(kinds)")
    }

    @Test func `an index of many distinct values stays in order through splits and removals`()
        throws
    {
        var random = SeededRandom(seed: 21)
        var indexes = try PayloadIndexes([try FieldPath("n")])
        var numbers: [UInt32: Int] = [:]
        func check() throws {
            for _ in 0..<20 {
                let (low, high) = (random.below(100_000), random.below(100_000))
                let filter = try Filter("n >= \(low) and n < \(high)")
                guard case .cells(let cells) = FilterPlan(filter, indexes) else {
                    Issue.record("no exact plan")
                    return
                }
                var expected = CellSet()
                for (cell, number) in numbers where low <= number && number < high {
                    expected.insert(cell)
                }
                #expect(cells == expected)
                let below = try Filter("n < \(high)")
                let share = Double(numbers.values.count { $0 < high }) / Double(numbers.count)
                #expect(abs(indexes.share(below.expression) - share) < 1e-9)
            }
        }
        for cell in UInt32(0)..<6000 {
            let number = random.below(100_000)
            numbers[cell] = number
            indexes.insert(cell: cell, payload: Bytes(utf8: "{\"n\":\(number)}"))
        }
        try check()
        for cell in UInt32(0)..<6000 where random.chance(0.9) {
            numbers[cell] = nil
            indexes.remove(cell: cell)
        }
        try check()
        for cell in UInt32(0)..<3000 where numbers[cell] == nil {
            numbers[cell] = Int(cell)
            indexes.insert(cell: cell, payload: Bytes(utf8: "{\"n\":\(cell)}"))
        }
        try check()
    }

    @Test func `what is indexed bounds the search, and only the rest is asked of payloads`() throws
    {
        var indexes = try PayloadIndexes([try FieldPath("topic"), try FieldPath("year")])
        for cell in UInt32(0)..<100 {
            let text = "{\"topic\": \"t\(cell % 4)\", \"year\": \(2000 + cell), \"free\": true}"
            indexes.insert(cell: cell, payload: Bytes(utf8: text))
        }
        func plan(_ text: String) throws -> (String, Int?) {
            let plan = FilterPlan(try Filter(text), indexes)
            return switch plan {
            case .cells: ("cells", plan.count)
            case .within(_, let residual): (residual.text, plan.count)
            case .payload: ("payload", plan.count)
            }
        }
        #expect(try plan("topic = 't1' and year >= 2050") == ("cells", 12))
        #expect(try plan("topic = 't1' and free = true") == ("free = true", 25))
        #expect(
            try plan("not (topic != 't1' or free = true)") == ("not free = true", 25))
        #expect(
            try plan("year < 2010 or topic = 't0' and x = 1")
                == ("year < 2010 or topic = \"t0\" and x = 1", 32))
        #expect(try plan("year < 2010 or free = true") == ("payload", nil))
        #expect(try plan("not exists topic") == ("cells", 0))
        #expect(try plan("free = true") == ("payload", nil))
        #expect(indexes.share(try Filter("topic in ('t1', 't2')").expression) == 0.5)
        #expect(indexes.share(try Filter("not year < 2010").expression) == 0.9)
    }

    @Test(arguments: 0..<4)
    func `a snapshot depends on the payloads alone, and restores to the same answers`(
        seed: Int
    ) throws {
        var stage = try IndexStage(seed: 100 + UInt64(seed), isPlain: seed == 3)
        for _ in 0..<1500 { stage.change(cells: 400) }
        var writer = ByteWriter()
        stage.indexes.write(to: &writer)
        var fresh = try PayloadIndexes(stage.indexes.paths)
        for (cell, payload) in stage.payloads.sorted(by: { $0.key > $1.key }) {
            fresh.insert(cell: cell, payload: payload.1)
        }
        var freshWriter = ByteWriter()
        fresh.write(to: &freshWriter)
        #expect(writer.bytes == freshWriter.bytes)

        var reader = ByteReader(writer.finished)
        stage.indexes = try PayloadIndexes(reading: &reader)
        #expect(reader.isAtEnd)
        var again = ByteWriter()
        stage.indexes.write(to: &again)
        #expect(again.bytes == writer.bytes)
        for _ in 0..<200 { stage.change(cells: 450) }
        for _ in 0..<40 {
            let condition = Condition.random(&stage.random, paths: IndexStage.indexed)
            let filter = try Filter(condition.text(&stage.random))
            #expect(stage.answer(filter) == stage.matching(condition), "\(filter)")
        }
    }

    @Test func `a damaged snapshot is refused or works, and never traps`() throws {
        var stage = try IndexStage(seed: 8)
        for _ in 0..<150 { stage.change(cells: 60) }
        var writer = ByteWriter()
        stage.indexes.write(to: &writer)
        var refused = 0
        for round in 0..<3000 {
            var bytes = writer.bytes
            if round % 3 == 0 { bytes.removeLast(1 + stage.random.below(bytes.count)) }
            for _ in 0..<(1 + stage.random.below(2)) where !bytes.isEmpty && round % 3 != 0 {
                bytes[stage.random.below(bytes.count)] = UInt8(stage.random.below(256))
            }
            var reader = ByteReader(Bytes(bytes))
            do {
                var indexes = try PayloadIndexes(reading: &reader)
                var again = ByteWriter()
                indexes.write(to: &again)
                #expect(again.bytes[...] == bytes[..<reader.position], "it was not canonical")
                for cell in UInt32(0)..<60 { indexes.remove(cell: cell) }
                indexes.insert(cell: 7, payload: Bytes(utf8: "{\"a\": [1, 2], \"b\": 3}"))
                #expect(indexes.live.contains(7))
            } catch {
                refused += 1
            }
        }
        #expect(refused > 1000)
    }

    @Test func `no more fields than the limit, and none twice`() throws {
        let path = try FieldPath("a")
        #expect(throws: LociError.self) { try PayloadIndexes([path, path]) }
        let paths = try (0...PayloadIndexes.fieldsAtMost).map { try FieldPath("f\($0)") }
        let error = #expect(throws: LociError.self) { try PayloadIndexes(paths) }
        #expect(error?.code == .resourceExhausted)
        #expect(try PayloadIndexes(Array(paths.dropLast())).paths.count == paths.count - 1)
    }
}
