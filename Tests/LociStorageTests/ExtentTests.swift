import Glibc
import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Cold extents")
struct ExtentTests {
    private let stage = ExtentStage()

    @Test(
        "Pages go and come back byte-exact, and their space with them",
        arguments: FileSystemKind.allCases, [ExtentCompression.standard, .none])
    func roundTrip(kind: FileSystemKind, compression: ExtentCompression) throws {
        let scratch = Scratch(kind)
        do {
            let store = try stage.open(scratch, compression: compression)
            try stage.write(0..<128, store)
            let full = try store.occupancy()
            #expect(full.isComplete && full.ssdBytes >= 128 * 16 << 10 && full.hddBytes == 0)
            #expect(try stage.move(stage.extent, cold: true, store) == .moved(pages: 64))
            #expect(try stage.move(stage.extent, cold: true, store) == .nothing)
            let half = try store.occupancy()
            #expect(half.ssdBytes <= full.ssdBytes - 64 * 16 << 10)
            let isCompressed = compression != .none
            #expect((half.hddBytes < 40 * 16 << 10) == isCompressed && half.hddBytes > 0)
            try stage.check(0..<64, store, from: .hdd)
            try stage.check(64..<128, store, from: .ssd)
            #expect(
                try store.storedExtents(of: 4, partition: 0, from: 0, limit: 9).extents == [
                    StoredExtent(address: stage.extent, pageBytes: stage.pageBytes, hddPages: 64),
                    StoredExtent(
                        address: ExtentAddress(space: 4, partition: 0, number: 1),
                        pageBytes: stage.pageBytes, ssdPages: 64),
                ])
            _ = try store.checkpoint(0, at: store.append([], to: 0), snapshot: Bytes())
        }
        scratch.endProcess()
        let store = try stage.open(scratch, compression: compression)
        try stage.check(0..<64, store, from: .hdd)
        try store.sweepColdTier(0)
        #expect(try store.occupancy().hddBytes > 0)
        #expect(store.takeColdReads().map(\.pages) == [64] && store.takeColdReads().isEmpty)
        #expect(try stage.move(stage.extent, cold: false, store) == .moved(pages: 64))
        try stage.check(0..<128, store, from: .ssd)
        #expect(try store.occupancy().hddBytes == 0)
        #expect(!scratch.fileSystem.exists(stage.extentFile(scratch)))
        #expect(store.counts.damagedPages == 0)
    }

    @Test("A page of 2 MiB is an extent of its own")
    func largePages() throws {
        let scratch = Scratch(.memory)
        let store = try stage.open(scratch)
        let page = PageAddress(space: 5, partition: 0, page: 3)
        let bytes = pattern(2 << 20, seed: 1)
        try store.write(bytes, at: 0, of: page, pageBytes: bytes.count)
        try store.flush(0)
        let extent = try #require(try store.storedExtents(from: nil, limit: 9).extents.first)
        #expect(extent.address == ExtentAddress(of: page, pageBytes: bytes.count))
        #expect(try store.demote(extent.address, pageBytes: bytes.count) == .moved(pages: 1))
        #expect(try store.readPage(page, pageBytes: bytes.count) == bytes)
        #expect(try store.promote(extent.address, pageBytes: bytes.count) == .moved(pages: 1))
        #expect(try store.readPage(page, pageBytes: bytes.count) == bytes)
    }

    @Test("A write to a cold page makes it warm, and its extent goes with its last page")
    func overwritten() throws {
        let scratch = Scratch(.memory)
        let store = try stage.open(scratch)
        try stage.write(0..<4, store)
        _ = try stage.move(stage.extent, cold: true, store)
        try store.write(
            pattern(100, seed: 9), at: 7, of: stage.address(2), pageBytes: stage.pageBytes)
        var expected = stage.text(2)
        expected.replace(at: 7, with: pattern(100, seed: 9))
        #expect(try store.readPage(stage.address(2), pageBytes: stage.pageBytes) == expected)
        #expect(try stage.move(stage.extent, cold: true, store) == .nothing)
        try store.flush(0)
        #expect(try store.readPage(stage.address(2), pageBytes: stage.pageBytes) == expected)
        #expect(try stage.move(stage.extent, cold: true, store) == .moved(pages: 1))
        #expect(try store.readPage(stage.address(2), pageBytes: stage.pageBytes) == expected)
        try stage.check(0..<2, store, from: .hdd)
        try stage.write(0..<4, store)
        #expect(try stage.move(stage.extent, cold: false, store) == .nothing)
        #expect(!scratch.fileSystem.exists(stage.extentFile(scratch)))
        try stage.check(0..<4, store, from: .ssd)
    }

    @Test("Whoever must not wait for the slow tier is told that a page is there")
    func slowest() throws {
        let store = try stage.open(Scratch(.memory))
        try stage.write(0..<65, store)
        _ = try stage.move(stage.extent, cold: true, store)
        for (slowest, isSkipped) in [(Tier.ssd, true), (.dram, true), (.hdd, false)] {
            let requests = [3, 64].map {
                PageRequest(
                    address: stage.address($0), pageBytes: stage.pageBytes, slowest: slowest)
            }
            let answers = store.readPages(requests, into: HeapPageMemory())
            if case .skipped(.hdd) = answers[0] {
                #expect(isSkipped)
            } else {
                #expect(!isSkipped)
            }
            switch answers[1] {
            case .loaded(_, from: .ssd): #expect(slowest >= .ssd)
            case .skipped(.ssd): #expect(slowest < .ssd)
            default: Issue.record("\(answers[1])")
            }
        }
    }
}
