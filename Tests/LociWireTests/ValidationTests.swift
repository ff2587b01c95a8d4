import LociBase
import LociModel
import LociWire
import Testing

@Suite struct ValidationTests {
    private func sentence(_ body: Body, _ bulk: [Bytes] = []) -> String {
        do {
            try Message(Header(), body, bulk: bulk).validated()
            return "valid"
        } catch {
            #expect(error.code == .invalidArgument)
            return error.message
        }
    }

    private func ids(_ count: Int) -> Bytes { Bytes(zeros: count * 8) }

    @Test func aVectorThatIsNotFiniteIsRefusedWithItsPlace() {
        let query = Body.query(Query(collection: "c", k: 1))
        var vector: [Float] = [1, -2, 3, 4, 5]
        #expect(sentence(query, [Bytes(values: vector)]) == "valid")
        for bad in [Float.nan, .infinity, -.infinity, .signalingNaN] {
            vector[3] = bad
            #expect(
                sentence(query, [Bytes(values: vector)])
                    == "The vector has a NaN or an infinity at element 3.")
        }
        vector[3] = -2e15
        #expect(
            sentence(query, [Bytes(values: vector)])
                == "The vector has a number beyond 1e15 at element 3.")
        let upsert = Body.upsert(Upsert(collection: "c", count: 2))
        let bulk = [ids(2), Bytes(values: [1, 2, 3, .nan] as [Float]), Bytes(zeros: 8), Bytes()]
        #expect(
            sentence(upsert, bulk)
                == "The vector has a NaN or an infinity at element 1 of vector 1.")
    }

    @Test(arguments: [UInt32(0), 1025, .max])
    func neighboursHaveBounds(k: UInt32) {
        let vector = Bytes(values: [1] as [Float])
        #expect(
            sentence(.query(Query(collection: "c", k: k)), [vector])
                == "A query for \(k) neighbours is not possible.")
        let shardQuery = Body.shardQuery(
            ShardQuery(space: 1, k: k, withPayload: false, withVector: false))
        #expect(sentence(shardQuery, [vector, Bytes()]) != "valid")
    }

    @Test(arguments: ["", ".hidden", "a b", "a/b", "é", String(repeating: "x", count: 129)])
    func namesAreChecked(name: String) {
        for body in [
            Body.dropField(DropField(name: name)), .dropCollection(DropCollection(name: name)),
            .count(Count(collection: name)), .scroll(Scroll(collection: name)),
            .readCells(ReadCells(field: name, count: 1)),
        ] {
            #expect(sentence(body).hasSuffix("is not a name."))
        }
    }

    @Test func countsMustMatchTheirFrames() {
        let scattered = ReadCells(field: "f", count: 3, isScattered: true)
        #expect(sentence(.readCells(scattered), [ids(3)]) == "valid")
        #expect(sentence(.readCells(scattered), [ids(2)]) != "valid")
        #expect(sentence(.readCells(scattered)) != "valid")
        #expect(sentence(.readCells(ReadCells(field: "f", count: 0))) != "valid")
        #expect(sentence(.readCells(ReadCells(field: "f", count: 65_537))) != "valid")
        #expect(sentence(.readCells(ReadCells(field: "f", count: .max))) != "valid")
        #expect(sentence(.readCells(ReadCells(field: "f", first: .max, count: 1))) != "valid")

        let write = Body.writeCells(WriteCells(field: "f", count: 3))
        #expect(sentence(write, [Bytes(zeros: 30)]) == "valid")
        #expect(sentence(write, [Bytes(zeros: 31)]) != "valid")
        #expect(sentence(write, [Bytes()]) != "valid")

        let upsert = Body.upsert(Upsert(collection: "c", count: 2))
        let vectors = Bytes(values: [1, 2, 3, 4] as [Float])
        let lengths = Bytes(values: [1, 2] as [UInt32])
        #expect(sentence(upsert, [ids(2), vectors, lengths, Bytes(zeros: 3)]) == "valid")
        #expect(sentence(upsert, [ids(2), vectors, lengths, Bytes(zeros: 4)]) != "valid")
        #expect(sentence(upsert, [ids(2), vectors, lengths, Bytes(zeros: 2)]) != "valid")
        #expect(sentence(upsert, [ids(1), vectors, lengths, Bytes(zeros: 3)]) != "valid")
        #expect(sentence(upsert, [ids(2), Bytes(zeros: 12), lengths, Bytes(zeros: 3)]) != "valid")

        let retrieve = Body.retrieve(Retrieve(collection: "c"))
        #expect(sentence(retrieve, [ids(4096)]) == "valid")
        #expect(sentence(retrieve, [ids(4097)]) != "valid")
        #expect(sentence(retrieve, [Bytes(zeros: 9)]) != "valid")
    }

    @Test func skippedCellsMustBeAmongThoseAnswered() {
        let cells = Body.cells(CellsAnswer(cellBytes: 2, count: 3, receipt: Receipt()))
        func sentence(_ skipped: [UInt32]) -> String {
            self.sentence(cells, [Bytes(zeros: 6), Bytes(values: skipped)])
        }
        #expect(sentence([0, 2]) == "valid")
        for wrong: [UInt32] in [[3], [1, 1], [2, 0], [.max]] {
            #expect(sentence(wrong) != "valid", "\(wrong)")
        }
        #expect(self.sentence(cells, [Bytes(zeros: 6), Bytes([0, 0, 0])]) != "valid")
    }

    @Test func extentsAndDamagedPagesSurviveTheWire() {
        var extent = ExtentResidency(partition: 7, extent: 1 << 40)
        extent.dram = 1
        extent.far = 2
        extent.ssd = 256
        extent.hdd = 4
        let extents = [extent, ExtentResidency(partition: 0, extent: 0)]
        #expect(ExtentResidency.decoded(ExtentResidency.encoded(extents)) == extents)
        let pages = [PageAddress(space: 3, partition: 9, page: .max)]
        #expect(DamagedPages.decoded(DamagedPages.encoded(pages)) == pages)
        #expect(ExtentResidency.decoded(Bytes(zeros: 19)).isEmpty)
        #expect(DamagedPages.decoded(Bytes(zeros: 15)).isEmpty)
    }

    @Test func answersMustHoldWhatTheyCount() {
        let cells = CellsAnswer(cellBytes: .max, count: .max, receipt: Receipt())
        #expect(sentence(.cells(cells), [Bytes()]) != "valid")
        let matches = Body.matches(MatchesAnswer(count: .max, receipt: Receipt()))
        #expect(sentence(matches, [Bytes](repeating: Bytes(), count: 6)) != "valid")
        #expect(sentence(.claimed(Claimed(count: .max)), [Bytes([0])]) != "valid")
        #expect(sentence(.claimed(Claimed(count: 1)), [Bytes([0])]) == "valid")
    }

    @Test func listsSurviveTheWireAndRefuseNonsense() throws {
        let payloads = [Bytes(utf8: "one"), Bytes(), Bytes(utf8: "three")]
        let list = PayloadList(payloads)
        #expect(try PayloadList(lengths: list.lengths, blob: list.blob, count: 3).items == payloads)
        for lengths: [UInt32] in [[3, 0, 4], [3, 0, 6], [.max, 3, 6], [8, 0], [65_537, 0, 0]] {
            #expect(throws: LociError.self) {
                try PayloadList(lengths: Bytes(values: lengths), blob: list.blob, count: 3)
            }
        }

        let targets: [[UInt16]] = [[1, 2, 65_535], [], Array(0..<16)]
        let encoded = TargetList(targets).encoded
        #expect(try TargetList(encoded: encoded, count: 3).items == targets)
        for count in [0, 1, 2, 4, -1, .max] {
            #expect(throws: LociError.self) { try TargetList(encoded: encoded, count: count) }
        }
        #expect(throws: LociError.self) {
            try TargetList(encoded: Bytes([17] + [UInt8](repeating: 0, count: 34)), count: 1)
        }
    }

    @Test func filtersRecallsAndRadiiHaveBounds() {
        let vector = [Bytes(values: [1] as [Float])]
        func query(_ change: (inout Query) -> Void) -> String {
            var query = Query(collection: "c", k: 1)
            change(&query)
            return sentence(.query(query), vector)
        }
        for recall in [Float(0), 0.5, 0.99] { #expect(query { $0.recall = recall } == "valid") }
        for recall in [Float(-0.1), 1, 95, .nan] {
            #expect(query { $0.recall = recall } != "valid")
        }
        for radius in [Float(0), 1, 1.6] { #expect(query { $0.radius = radius } == "valid") }
        for radius in [Float(-1), 0.9, .infinity] {
            #expect(query { $0.radius = radius } != "valid")
        }
        let filter = String(repeating: "x", count: Limits.filterBytes)
        #expect(query { $0.filter = filter } == "valid")
        #expect(query { $0.filter = filter + "x" } != "valid")
        var asked = ShardQuery(space: 1, k: 1, withPayload: false, withVector: false)
        #expect(sentence(.shardQuery(asked), vector + [Bytes()]) == "valid")
        asked.bound = -1
        #expect(sentence(.shardQuery(asked), vector + [Bytes()]) != "valid")
        asked.bound = 0
        for share in [Float(0), 0.25, 1] {
            asked.selectiveShare = share
            #expect(sentence(.shardQuery(asked), vector + [Bytes()]) == "valid")
        }
        for share in [Float(-0.1), 1.1, .nan] {
            asked.selectiveShare = share
            #expect(sentence(.shardQuery(asked), vector + [Bytes()]) != "valid")
        }
    }

    @Test func completionsHaveBounds() {
        let vector = Bytes(values: [1, 2] as [Float])
        for steps in [UInt32(0), 101] {
            let body = Body.complete(Complete(collection: "c", steps: steps))
            #expect(sentence(body, [vector]) == "\(steps) steps are not possible.")
        }
        #expect(sentence(.complete(Complete(collection: "c", steps: 100)), [vector]) == "valid")
        #expect(sentence(.complete(Complete(collection: "c", beta: -1)), [vector]) != "valid")
        #expect(
            sentence(.shardComplete(ShardComplete(space: 1, beta: -1)), [vector, ids(1)]) != "valid"
        )
        let part = Body.partialCompletion(PartialCompletion(maximum: 1, sum: 1, rows: 1))
        #expect(sentence(part, [Bytes(values: [1, 2] as [Double])]) == "valid")
        for sum in [[], [1, .nan], [-.infinity]] as [[Double]] {
            #expect(sentence(part, [Bytes(values: sum)]) != "valid", "\(sum)")
        }
    }

    @Test func settingsAscendAndAreFew() {
        func sentence(_ recalls: [Float]) -> String {
            let tuning = recalls.map { RecallSetting(recall: $0, probes: 8, radius: 2) }
            return self.sentence(.storeTuning(StoreTuning(collection: "c", tuning: tuning)))
        }
        #expect(sentence([]) == "valid")
        #expect(sentence([0.9, 0.95]) == "valid")
        for wrong: [Float] in [[0.95, 0.9], [0.9, 0.9], [0], [1]] {
            #expect(sentence(wrong) != "valid", "\(wrong)")
        }
        #expect(sentence((1...33).map { Float($0) / 100 }) != "valid")
        let wrong = RecallSetting(recall: 0.9, probes: 0, radius: 2)
        #expect(
            self.sentence(.storeTuning(StoreTuning(collection: "c", tuning: [wrong]))) != "valid")
    }

    @Test func binaryVectorsMustHoldWhatTheyCount() {
        let write = Body.writeMemory(WriteMemory(name: "m", count: 3))
        #expect(sentence(write, [Bytes(zeros: 9), Bytes(zeros: 9)]) == "valid")
        for wrong in [[9], [9, 6], [8, 8], [0, 0], [3 * 1025, 3 * 1025]] {
            #expect(sentence(write, wrong.map { Bytes(zeros: $0) }) != "valid", "\(wrong)")
        }
        let none = Body.readMemory(ReadMemory(name: "m", count: 0))
        #expect(sentence(none, [Bytes()]) != "valid")
        let sums = Body.shardMemoryAnswer(ShardMemoryAnswer(count: 2))
        #expect(sentence(sums, [Bytes(zeros: 8 * 5), Bytes(zeros: 8)]) == "valid")
        for wrong in [[8 * 5, 4], [9, 8], [0, 8], [8 * 8193, 8]] {
            #expect(sentence(sums, wrong.map { Bytes(zeros: $0) }) != "valid", "\(wrong)")
        }
    }

    @Test func postingsAreCountedByTheirLengths() {
        var report = CollectionReport()
        for rows in [0, 1, 2, 3, 4, 127, 128] { report.count(postingOf: rows) }
        #expect(report.postingLengths == [2, 2, 1, 0, 0, 0, 1, 1])
        #expect(report.longestPosting == 128)
        var sum = CollectionReport()
        sum.count(postingOf: 1)
        sum.tiers = [TierBytes(tier: .ssd, bytes: 5)]
        report.tiers = [TierBytes(tier: .dram, bytes: 1), TierBytes(tier: .ssd, bytes: 2)]
        sum.add(report)
        #expect(sum.postingLengths == [3, 2, 1, 0, 0, 0, 1, 1])
        #expect(
            sum.tiers == [TierBytes(tier: .ssd, bytes: 7), TierBytes(tier: .dram, bytes: 1)])
    }
}
