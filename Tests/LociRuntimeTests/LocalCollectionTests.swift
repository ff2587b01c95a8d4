import Foundation
import LociBase
import LociModel
import LociRuntime
import LociSearch
import Testing

@Suite("A collection in this process")
struct LocalCollectionTests {
    private func open(
        _ folder: TemporaryFolder, dimension: Int = 8
    ) throws -> LocalCollection {
        try LocalCollection(
            folder: folder.path, dimension: dimension, metric: .l2, dramBytes: 16 << 20)
    }

    private func row(_ value: Float) -> Bytes { Bytes(values: [Float](repeating: value, count: 8)) }

    @Test func whatIsReplacedAndDeletedAfterReopeningIsSo() throws {
        let folder = try TemporaryFolder()
        do {
            let collection = try open(folder)
            for id in 0..<20 as Range<PointID> {
                try collection.upsert([id], vectors: row(Float(id)), payloads: [Bytes()])
            }
        }
        let collection = try open(folder)
        try collection.upsert([3], vectors: row(100), payloads: [Bytes()])
        try collection.delete([4])
        let near = try collection.query(
            [Float](repeating: 99, count: 8), k: 20, probes: 64, isExact: true)
        #expect(near.matches.first?.id == 3)
        #expect(near.matches.count == 19)
        #expect(!near.matches.contains { $0.id == 4 })
    }

    @Test func anotherShapeIsRefused() throws {
        let folder = try TemporaryFolder()
        do { _ = try open(folder) }
        #expect(throws: LociError.self) { _ = try open(folder, dimension: 9) }
    }

    @Test func badQueriesAreRefused() throws {
        let collection = try open(try TemporaryFolder())
        try collection.upsert([1], vectors: row(1), payloads: [Bytes()])
        let good = [Float](repeating: 1, count: 8)
        #expect(throws: LociError.self) { try collection.query([1], k: 1, probes: 4) }
        #expect(throws: LociError.self) { try collection.query(good, k: 0, probes: 4) }
        #expect(throws: LociError.self) { try collection.query(good, k: -1, probes: 4) }
        #expect(throws: LociError.self) {
            try collection.query([Float](repeating: .nan, count: 8), k: 1, probes: 4)
        }
        #expect(try collection.query(good, k: 1, probes: 4).matches.map(\.id) == [1])
    }
}

/// A folder of its own, gone at the end.
private final class TemporaryFolder {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "loci-collection-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
