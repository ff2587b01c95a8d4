import LociBase
import LociModel
import Testing

@testable import LociSearch

/// The table of points beside dictionaries.
@Suite struct PointTableTests {
    private static func record(_ id: PointID, version: UInt64) -> PointRecord {
        PointRecord(
            id: id, version: version, location: LocationID(id % 7), tag: 0,
            payloadOffset: version * 3, payloadBytes: UInt32(id % 100), isLive: true,
            isPrimary: id % 2 == 0)
    }

    /// Ids that all have the same home slot in a table of up to 2^16 slots, mixed with others, so
    /// that chains are long and wrap around the end.
    private static func ids() -> [PointID] {
        let close = (PointID(0)...).lazy.filter { mix64($0) & 0x3FF >= 0x3FE }.prefix(60)
        return Array(close) + (PointID(1 << 40)..<((1 << 40) + 240))
    }

    private struct Model {
        var table = PointTable()
        var cells: [PointID: CellNumber] = [:]
        var records: [CellNumber: PointRecord] = [:]
        /// Every pair of cell and tag that a code may still carry.
        var old: Set<[UInt32]> = []

        func check(_ ids: [PointID]) {
            #expect(table.count == cells.count)
            #expect(Set(table.ids) == Set(cells.keys) && table.ids.count == cells.count)
            #expect(table.cells == cells.values.sorted())
            for id in ids {
                #expect(table.cell(of: id) == cells[id])
                #expect(table.record(of: id) == cells[id].map { records[$0]! })
            }
            for (cell, record) in records where cells[record.id] == cell {
                #expect(table.isCurrent(cell, tag: record.tag))
                #expect(!table.isCurrent(cell, tag: record.tag &+ 1))
            }
            for pair in old { #expect(!table.isCurrent(pair[0], tag: pair[1])) }
            #expect(!table.isCurrent(CellNumber(table.cellCount), tag: 0))
        }

        mutating func step(_ id: PointID, _ random: inout SeededRandom, version: UInt64) {
            guard let cell = cells[id] else { return insert(id, version: version) }
            switch random.below(4) {
            case 0, 1:
                table.remove(cell)
                old.insert([cell, records[cell]!.tag])
                cells[id] = nil
            case 2:
                old.insert([cell, records[cell]!.tag])
                records[cell]!.tag = table.retag(cell)
            default:
                records[cell]!.location = LocationID(random.below(1000))
                table.move(cell, to: records[cell]!.location)
            }
        }

        private mutating func insert(_ id: PointID, version: UInt64) {
            var record = PointTableTests.record(id, version: version)
            let isFull = cells.count == table.cellCount
            let cell = table.insert(record)
            #expect(isFull == (Int(cell) == table.cellCount - 1 && records[cell] == nil))
            #expect(!cells.values.contains(cell))
            record.tag = table[cell].tag
            cells[id] = cell
            records[cell] = record
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func theTableAnswersAsADictionaryDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let ids = Self.ids()
        var model = Model()
        for step in 0..<3000 {
            // Waves, so that the table fills and empties.
            let reach = 20 + (step / 300 % 2 == 0 ? ids.count - 20 : 40)
            model.step(ids[random.below(reach)], &random, version: UInt64(step))
            if step % 50 == 0 { model.check(ids) }
            if step % 400 == 0 {
                model.table = try Self.copy(of: model.table)
                model.check(ids)
            }
        }
        model.check(ids)
        #expect(model.old.count > 500)
    }

    private static func copy(of table: PointTable) throws -> PointTable {
        var writer = ByteWriter()
        table.write(to: &writer)
        var reader = ByteReader(writer.finished)
        let copy = try PointTable(from: &reader)
        #expect(reader.position == writer.finished.count)
        return copy
    }

    /// Two tables with the same calls, one of them written and read again in between, give out the
    /// same cells and tags.
    @Test func aSnapshotGivesOutTheSameCells() throws {
        var random = SeededRandom(seed: 3)
        var tables = [PointTable(), PointTable()]
        for step in 0..<600 {
            let id = PointID(random.below(80))
            for index in tables.indices {
                if let cell = tables[index].cell(of: id) {
                    tables[index].remove(cell)
                } else {
                    _ = tables[index].insert(Self.record(id, version: UInt64(step)))
                }
            }
            if step % 37 == 0 { tables[1] = try Self.copy(of: tables[1]) }
            #expect(tables[0].records == tables[1].records)
        }
    }

    @Test func aDamagedTableIsRefusedOrReadButNeverTraps() throws {
        var table = PointTable()
        for id in 0..<50 { _ = table.insert(Self.record(PointID(id), version: 1)) }
        for id in 10..<30 { table.remove(table.cell(of: PointID(id))!) }
        var writer = ByteWriter()
        table.write(to: &writer)
        let bytes = writer.finished
        for length in 0..<bytes.count {
            var reader = ByteReader(bytes.slice(0..<length))
            #expect(throws: TruncatedBytes.self) { _ = try PointTable(from: &reader) }
        }
        var random = SeededRandom(seed: 1)
        var refused = 0
        for _ in 0..<2000 {
            var damaged = bytes.array
            damaged[random.below(damaged.count)] = UInt8(random.below(256))
            do {
                var reader = ByteReader(Bytes(damaged))
                var read = try PointTable(from: &reader)
                for id in 100..<130 { _ = read.insert(Self.record(PointID(id), version: 1)) }
                #expect(Set(read.cells).count == read.count)
            } catch { refused += 1 }
        }
        #expect(refused > 20)
    }
}
