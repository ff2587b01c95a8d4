import LociBase
import LociModel
import LociSearch
import Testing

@testable import LociCluster

@Suite struct LogRecordTests {
    private static func records() throws -> [LogRecord] {
        var catalog = Catalog()
        _ = try catalog.createField(
            name: "cells", elementType: .packed(bits: 3), shape: [4, 5, 100], pageBytes: 8192)
        _ = try catalog.createCollection(
            name: "points", dimension: 7, metric: .cosine, isText: true)
        let points = PutPoints(
            ids: [1, .max], isPrimary: [1, 0], vectors: Bytes(values: [Float(1), 2, 3, 4]),
            payloads: [Bytes(utf8: "{}"), Bytes()])
        let split = LocationSplit(
            location: 9,
            children: [
                .init(
                    centroid: [1, 2], cells: [5, 6], tags: [0, .max],
                    codes: Bytes([1, 2, 3, 4, 5, 6, 7, 8])),
                .init(centroid: [-1, 0.5], cells: [], tags: [], codes: Bytes()),
            ])
        let rows = [Bytes(values: [Float(1), 2]), Bytes(values: [Float(3), 4])]
        return [
            .install(catalog), .install(Catalog()),
            .cells(space: 1, cells: [0, 9, 1 << 40], bytes: Bytes([1, 2, 3])),
            .claim(space: 2, sequence: 1 << 41, ids: [3, 4], targets: [[1, 2], []]),
            .settle(space: 2, sequence: 5, ids: [3], targets: [[65535]]),
            .put(space: 2, sequence: 6, generation: 3, points: points),
            .remove(space: 2, sequence: .max, ids: [1, 2, 3]),
            .plant(space: 2, generation: 4, centroids: [1, 2, 3, -4]),
            .split(space: 2, split),
            .move(
                space: 2,
                PointMove(cells: [7, 0], tags: [1, 2], vectors: rows, retiring: 0, evaluated: 9)),
            .move(
                space: 2,
                PointMove(cells: [], tags: [], vectors: [], retiring: nil, evaluated: .max)),
        ]
    }

    @Test func everyRecordIsReadAsItWasWritten() throws {
        for record in try Self.records() {
            #expect(try LogRecord(encoded: record.encoded) == record)
        }
    }

    @Test func aRecordThatIsCutShortIsRefused() throws {
        for record in try Self.records() {
            let bytes = record.encoded
            for length in 0..<bytes.count {
                #expect(throws: LociError.self) {
                    try LogRecord(encoded: bytes.slice(0..<length))
                }
            }
        }
    }

    @Test func damagedRecordsAreRefusedOrReadButNeverTrap() throws {
        var random = SeededRandom(seed: 1)
        var refused = 0
        for record in try Self.records() {
            let original = record.encoded.array
            for _ in 0..<600 {
                var bytes = original
                for _ in 0...random.below(4) {
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                }
                do {
                    _ = try LogRecord(encoded: Bytes(bytes))
                } catch {
                    #expect(error.code == .dataLoss)
                    refused += 1
                }
            }
        }
        #expect(refused > 1000)
    }
}
