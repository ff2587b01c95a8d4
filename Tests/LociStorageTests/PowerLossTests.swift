import Foundation
import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Loss of power on a real file system")
struct PowerLossTests {
    /// Power is lost at random moments between two calls of storage, with some of what was not
    /// synced on the disk already: the disk's image is copied while it is mounted, and the copy is
    /// mounted and recovered.
    @Test("What was acknowledged is on every copy of a mounted disk")
    func copies() throws {
        guard LoopDisk.isPossible else {
            print("No loss of power on a real disk: that needs root, mkfs.ext4 and loop devices.")
            return
        }
        let environment = ProcessInfo.processInfo.environment
        let moments = environment["LOCI_LONG"] == nil ? 6 : 60
        let seed = environment["LOCI_SEED"].flatMap { UInt64($0) } ?? 1
        let disk = try LoopDisk(megabytes: 128)
        var random = SeededRandom(seed: seed)
        let power = PowerSupply(seed: seed)
        defer { power.cancel() }
        let writer = try PoweredWriter(disk.mountPoint + "/shard-2", power)
        var unstable = 0
        var lost = 0
        var torn = 0
        for moment in 0..<moments {
            let acknowledgedBefore = writer.acknowledged
            var copy: LoopDisk?
            var acknowledged = 0
            power.fail(after: 1 + random.below(150)) {
                acknowledged = writer.acknowledged
                copy = try? disk.copy()
            }
            while copy == nil {
                try writer.step(&random)
                if power.hasFired && copy == nil {
                    // The kernel wrote meanwhile: no disk was ever as this copy is.
                    unstable += 1
                    try #require(unstable < moments * 4)
                    power.fail(after: 1 + random.below(20)) {
                        acknowledged = writer.acknowledged
                        copy = try? disk.copy()
                    }
                }
            }
            try #require(acknowledged >= acknowledgedBefore)
            let report = try SliceVerifier.verify(
                copy!.mountPoint + "/shard-2", ReadingFileSystem())
            #expect(
                (report.worst ?? .note) < .damage, "moment \(moment), seed \(seed): \(report)")
            torn += report.findings.filter { $0.severity == .repairable }.count
            let found = try writer.recovered(in: copy!.mountPoint + "/shard-2")
            #expect(found >= acknowledged, "moment \(moment), seed \(seed)")
            lost += writer.written - found
        }
        print(
            "\(moments) losses of power, seed \(seed): \(writer.acknowledged) records "
                + "acknowledged, 0 lost; \(lost) that were not, "
                + "\(torn) torn writes mended, \(unstable) copies "
                + "taken again")
    }
}

/// Writes records and pages, and knows what was acknowledged.
private final class PoweredWriter {
    private let store: SliceStore
    private var edits: [Edit] = []
    private(set) var acknowledged = 0
    private var end: LSN
    /// Records that were given to the log, acknowledged or not.
    var written: Int { edits.count }

    static let tuning = StorageTuning(
        logFileBytes: 60_000, checkpointFileBytes: 20_000, flushBatchBytes: 3 * Edit.pageBytes,
        openSegments: 2)

    init(_ folder: String, _ power: PowerSupply) throws {
        store = try SliceStore.open(
            folder: folder, fileSystem: PoweredFileSystem(power), identity: testIdentity,
            partitions: [Edit.partition], tuning: Self.tuning)
        end = try store.recover(Edit.partition).end
    }

    func step(_ random: inout SeededRandom) throws {
        let batch = (0...random.below(4)).map { _ in Edit(using: &random) }
        edits += batch
        end = try store.append(batch.map(\.record), to: Edit.partition)
        acknowledged = edits.count
        for edit in batch {
            try store.write(
                edit.bytes, at: Int(edit.offset), of: edit.address, pageBytes: Edit.pageBytes)
        }
        if random.chance(0.2) { try store.flush(Edit.partition) }
        if random.chance(0.1) {
            _ = try store.checkpoint(
                Edit.partition, at: end, snapshot: SliceModel.snapshot(edits[...]))
        }
    }

    /// Recovers a folder and compares its records and pages with what was written.
    /// - Returns: Records that are in it.
    func recovered(in folder: String) throws -> Int {
        let store = try SliceStore.open(
            folder: folder, fileSystem: LinuxFileSystem(), identity: testIdentity,
            partitions: [Edit.partition], tuning: Self.tuning)
        let recovered = try store.recover(Edit.partition)
        let folded = try SliceModel.check(recovered, against: edits)
        let total = folded + recovered.records.count
        var pages: [UInt64: Bytes] = [:]
        for (index, edit) in edits[..<total].enumerated() {
            pages[edit.page, default: Bytes(zeros: Edit.pageBytes)]
                .replace(at: Int(edit.offset), with: edit.bytes)
            guard index >= folded else { continue }
            try store.write(
                edit.bytes, at: Int(edit.offset), of: edit.address, pageBytes: Edit.pageBytes)
        }
        for isFlushed in [false, true] {
            if isFlushed { try store.flush(Edit.partition) }
            for (page, bytes) in pages {
                let address = PageAddress(space: 7, partition: Edit.partition, page: page)
                try #require(try store.readPage(address, pageBytes: Edit.pageBytes) == bytes)
            }
        }
        return total
    }
}
