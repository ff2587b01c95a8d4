import Glibc
import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("No page is lost between the tiers")
struct ExtentCrashTests {
    @Test("Loss of power, kills and failing disks while extents move", arguments: [false, true])
    func randomLives(isCompressed: Bool) throws {
        for seed in UInt64(0)..<20 {
            do {
                try live(seed: seed, isCompressed ? .standard : .none)
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
        }
    }

    private func live(seed: UInt64, _ compression: ExtentCompression) throws {
        var random = SeededRandom(seed: seed)
        let model = SliceModel(withTierOn: nil, compression: compression)
        for _ in 0..<8 {
            let dies = random.chance(0.8)
            if dies {
                model.fileSystem.failure = InjectedFailure(
                    operation: UInt64(1 + random.below(160)), errno: EIO, isSticky: true)
            }
            do {
                try model.open()
                for _ in 0..<14 { try step(model, &random) }
            } catch is StorageError {
                try #require(dies)
            }
            model.fileSystem.failure = nil
            if random.chance(0.8) { model.crash(seed: random.next()) } else { model.endProcess() }
        }
        try model.open()
        try model.checkPlaces()
    }

    private func step(_ model: SliceModel, _ random: inout SeededRandom) throws {
        let extent = SliceModel.extents[random.below(3)]
        switch random.below(12) {
        case 0..<3: try model.append((0...random.below(4)).map { _ in Edit(using: &random) })
        case 3: try model.writePages()
        case 4: try model.flush()
        case 5, 6, 7: try #require(try model.demote(extent) != .damaged)
        case 8, 9: try #require(try model.promote(extent) != .damaged)
        case 10:
            try model.writePages()
            try model.store!.sweepColdTier(Edit.partition)
            try model.checkPages()
            try model.checkPlaces()
        default: try model.checkpoint()
        }
    }

    struct Sweep: Sendable, CustomTestStringConvertible {
        let errno: Int32
        let isSticky: Bool
        var testDescription: String { "errno \(errno), \(isSticky ? "sticky" : "once")" }
    }

    static let sweeps = [
        Sweep(errno: EIO, isSticky: false), Sweep(errno: EIO, isSticky: true),
        Sweep(errno: ENOSPC, isSticky: false), Sweep(errno: ENOSPC, isSticky: true),
    ]

    @Test("Whichever operation of a move fails, all pages are found again", arguments: sweeps)
    func sweep(sweep: Sweep) throws {
        for operation in UInt64(1)... {
            let model = try prepared()
            let before = model.fileSystem.operations
            model.fileSystem.failure = InjectedFailure(
                operation: operation, errno: sweep.errno, isSticky: sweep.isSticky)
            moves(model)
            if model.fileSystem.operations - before < operation {
                try #require(operation > 40)
                return
            }
            model.fileSystem.failure = nil
            model.crash(seed: operation)
            do {
                try model.open()
                try model.checkPlaces()
                model.crash(seed: operation + 1)
                try model.open()
                try model.store!.sweepColdTier(Edit.partition)
                try model.flush()
                _ = try model.promote(SliceModel.extents[0])
                try model.checkPages()
                #expect(try model.stored.hdd == 0)
                try model.checkpoint()
            } catch {
                Issue.record("operation \(operation): \(error)")
                return
            }
        }
    }

    /// Pages in segments, in extents, and in extents with newer ones in the segment.
    private func prepared() throws -> SliceModel {
        var random = SeededRandom(seed: 17)
        let model = SliceModel(withTierOn: nil)
        try model.open()
        try model.append((0..<40).map { _ in Edit(using: &random) })
        try model.checkpoint()
        _ = try model.demote(SliceModel.extents[0])
        try model.append((0..<3).map { _ in Edit(using: &random) })
        try model.flush()
        try model.append((0..<2).map { _ in Edit(using: &random) })
        try model.writePages()
        return model
    }

    private func moves(_ model: SliceModel) {
        _ = try? model.demote(SliceModel.extents[0])
        _ = try? model.promote(SliceModel.extents[0])
        try? model.flush()
        _ = try? model.demote(SliceModel.extents[0])
    }

    @Test(
        "A slow tier that fails or is full stops no writes, and nothing is lost",
        arguments: [EIO, ENOSPC])
    func failingTier(errno: Int32) throws {
        var random = SeededRandom(seed: 23)
        var hasFailed = true
        var operation: UInt64 = 0
        while hasFailed {
            operation += 1
            let tier = MemoryFileSystem()
            let model = SliceModel(withTierOn: tier)
            try model.open()
            try model.append((0..<30).map { _ in Edit(using: &random) })
            try model.flush()
            _ = try model.demote(SliceModel.extents[0])
            let before = tier.operations
            tier.failure = InjectedFailure(operation: operation, errno: errno)
            for extent in [1, 0, 2].map({ SliceModel.extents[$0] }) {
                do {
                    _ = extent.number == 0 ? try model.promote(extent) : try model.demote(extent)
                } catch let error as StorageError {
                    #expect(error.isOutOfSpace == (errno == ENOSPC) || "\(error)".contains("sync"))
                    #expect(model.store!.migrationCounts.failures > 0)
                }
            }
            hasFailed = tier.operations - before >= operation
            tier.failure = nil
            try model.checkPages()
            try model.append([Edit(using: &random)])
            try model.checkpoint()
            for extent in SliceModel.extents { _ = try model.demote(extent) }
            #expect(try model.stored.ssd == 0)
            try model.checkPages()
        }
    }
}
