import LociBase
import LociModel
import Testing

@testable import LociStorage

/// A record of the tests: it says which bytes of which page to fill.
struct Edit: Equatable {
    var page: UInt64
    var offset: UInt16
    /// A multiple of 8.
    var count: UInt16
    var seed: UInt64
    var padding: UInt32 = 0

    static let pageBytes = 4096
    static let partition: PartitionIndex = 3

    init(using random: inout SeededRandom) {
        let far = Layout.segmentBytes / UInt64(Self.pageBytes)
        page = UInt64(random.below(6)) + (random.chance(0.3) ? far * UInt64(random.below(3)) : 0)
        offset = UInt16(random.below(4000))
        count = UInt16(random.below((Self.pageBytes - Int(offset)) / 8)) * 8 + 8
        seed = random.next()
        padding = random.chance(0.2) ? UInt32(random.below(3000)) : 0
    }

    var address: PageAddress { PageAddress(space: 7, partition: Self.partition, page: page) }
    var bytes: Bytes { Bytes(values: [UInt64](repeating: seed, count: Int(count) / 8)) }

    var record: Bytes {
        var writer = ByteWriter()
        writer.write(page)
        writer.write(offset)
        writer.write(count)
        writer.write(seed)
        writer.write(Bytes(zeros: Int(padding)))
        return writer.finished
    }
}

/// A slice beside the truth about it: what was acknowledged, and what may have become durable.
final class SliceModel {
    let fileSystem: MemoryFileSystem
    private(set) var acknowledged: [Edit] = []
    /// The append that failed last: some of it may be found again.
    private var doubtful: [Edit] = []
    /// Acknowledged and not yet written to the pages.
    private(set) var unwritten: [Edit] = []
    private(set) var lastBatch = 0
    private(set) var store: SliceStore?
    /// Set before `open`, for a slice that can move pages away.
    var coldTier: ColdTier?
    /// Whether a call met an error that is final.
    private var isFailed = false
    private var end: LSN = 0
    private var lastIncarnation: UInt64 = 0

    static let folder = "/data"
    static let tuning = StorageTuning(
        logFileBytes: 6000, checkpointFileBytes: 2000, flushBatchBytes: 3 * Edit.pageBytes,
        openSegments: 2)

    init(_ fileSystem: MemoryFileSystem = MemoryFileSystem()) { self.fileSystem = fileSystem }

    /// Opens and recovers; compares what is found with what must be there.
    func open() throws {
        let store = try SliceStore.open(
            folder: Self.folder, fileSystem: fileSystem, identity: testIdentity,
            partitions: [Edit.partition], tuning: Self.tuning, coldTier: coldTier)
        let recovered = try store.recover(Edit.partition)
        #expect(store.incarnation > lastIncarnation)
        lastIncarnation = store.incarnation
        let folded = try Self.check(recovered, against: acknowledged + doubtful)
        let total = folded + recovered.records.count
        try #require(total >= acknowledged.count, "an acknowledged record is lost")
        acknowledged = Array((acknowledged + doubtful).prefix(total))
        doubtful = []
        isFailed = false
        unwritten = Array(acknowledged[folded...])
        end = recovered.end
        self.store = store
        try writePages()
        try checkPages()
    }

    /// - Returns: How many records the snapshot holds.
    static func check(_ recovered: RecoveredPartition, against edits: [Edit]) throws -> Int {
        var folded = 0
        if let snapshot = recovered.snapshot {
            folded = Int(snapshot.load(UInt64.self, at: 0))
            try #require(folded <= edits.count)
            try #require(snapshot == Self.snapshot(edits.prefix(folded)))
        }
        try #require(folded + recovered.records.count <= edits.count, "a record nobody wrote")
        for (record, edit) in zip(recovered.records, edits[folded...]) {
            try #require(record.payload == edit.record)
        }
        var position = recovered.snapshotLSN
        for record in recovered.records {
            try #require(record.lsn == position)
            position = record.end
        }
        try #require(position == recovered.end)
        return folded
    }

    static func snapshot(_ edits: ArraySlice<Edit>) -> Bytes {
        var writer = ByteWriter()
        writer.write(UInt64(edits.count))
        writer.write(edits.reduce(UInt64(1)) { $1.record.checksum(seed: $0) })
        writer.write(raw: Bytes(zeros: edits.count * 3))
        return writer.finished
    }

    func append(_ edits: [Edit]) throws {
        if !isFailed { doubtful = edits }
        do {
            end = try store!.append(edits.map(\.record), to: Edit.partition)
        } catch {
            if error.isOutOfSpace && !isFailed { doubtful = [] }
            isFailed = isFailed || !error.isOutOfSpace
            throw error
        }
        doubtful = []
        acknowledged += edits
        unwritten += edits
        lastBatch = edits.count
    }

    func writePages() throws {
        while let edit = unwritten.first {
            try store!.write(
                edit.bytes, at: Int(edit.offset), of: edit.address, pageBytes: Edit.pageBytes)
            unwritten.removeFirst()
        }
    }

    func flush() throws {
        try writePages()
        try store!.flush(Edit.partition)
    }

    func checkpoint() throws {
        try writePages()
        let remaining = try store!.checkpoint(
            Edit.partition, at: end, snapshot: Self.snapshot(acknowledged[...]))
        #expect(remaining == 0)
        #expect(store!.logBytes(Edit.partition) == 0)
    }

    func checkPages() throws {
        var pages: [UInt64: Bytes] = [5000: Bytes(zeros: Edit.pageBytes)]
        for edit in acknowledged {
            pages[edit.page, default: Bytes(zeros: Edit.pageBytes)]
                .replace(at: Int(edit.offset), with: edit.bytes)
        }
        for (page, bytes) in pages {
            let address = PageAddress(space: 7, partition: Edit.partition, page: page)
            let found = try store!.readPage(address, pageBytes: Edit.pageBytes)
            try #require(found == bytes)
        }
    }

    func crash(seed: UInt64) {
        store = nil
        fileSystem.crash(seed: seed)
    }

    func endProcess() {
        store = nil
        fileSystem.endProcess()
    }
}
