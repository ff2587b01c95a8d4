import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Writes that disks get wrong are noticed, and cost just their pages")
struct DamagedWriteTests {
    private static let pages = UInt64(12)
    private static let pageBytes = 16384

    private func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 5, partition: 0, page: page)
    }

    /// A slice with all pages written twice, the second time on a disk with this fault.
    /// - Returns: The store, and the pages that it must not give out.
    private func slice(
        _ disk: FaultyDisk, _ fault: FaultyDisk.Fault
    ) throws -> (SliceStore, Set<UInt64>) {
        let store = try SliceStore.open(
            folder: "/data", fileSystem: disk, identity: testIdentity, partitions: [0])
        var end = try store.recover(0).end
        for round in UInt64(0)..<2 {
            disk.fault = round == 1 ? fault : nil
            for page in 0..<Self.pages {
                try store.write(
                    pattern(Self.pageBytes, seed: page + 100 * round), at: 0, of: address(page),
                    pageBytes: Self.pageBytes)
            }
            end = try store.append([Bytes(utf8: "round")], to: 0)
            _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        }
        disk.fault = nil
        return (store, fault.hits)
    }

    @Test("Lost, torn and misdirected writes of pages and of checksums", arguments: FaultyDisk.all)
    func reads(fault: FaultyDisk.Fault) throws {
        let disk = FaultyDisk()
        var (store, lost) = try slice(disk, fault)
        for isReopened in [false, true] {
            if isReopened {
                disk.memory.endProcess()
                store = try SliceStore.open(
                    folder: "/data", fileSystem: disk, identity: testIdentity, partitions: [0])
                _ = try store.recover(0)
            }
            try check(store, lost)
        }
        #expect(store.counts.damagedPages >= UInt64(lost.count))
        // Found by scrub and by verify, too.
        #expect(try scrub(store).damaged == lost)
        disk.memory.endProcess()
        let report = try SliceVerifier.verify("/data", disk)
        #expect(Set(report.findings.map(\.subject)) == Set(lost.map { "page \($0) of space 5" }))
        disk.memory.endProcess()
        // What is written as a whole is whole again; a part of a lost page stays lost.
        store = try SliceStore.open(
            folder: "/data", fileSystem: disk, identity: testIdentity, partitions: [0])
        let end = try store.recover(0).end
        var left = lost
        for page in lost.sorted() {
            let isWhole = page % 2 == 0
            try store.write(
                Self.expected(page).slice(0..<(isWhole ? 16384 : 512)),
                at: 0, of: address(page), pageBytes: Self.pageBytes)
            if isWhole { left.remove(page) }
        }
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        try check(store, left)
        #expect(try scrub(store).damaged == left)
        #expect(store.counts.lostWrites == UInt64(left.count))
    }

    private static func expected(_ page: UInt64) -> Bytes {
        page < pages ? pattern(pageBytes, seed: page + 100) : Bytes(zeros: pageBytes)
    }

    private func check(_ store: SliceStore, _ lost: Set<UInt64>) throws {
        for page in 0..<Self.pages + 3 {
            do throws(StorageError) {
                let found = try store.readPage(address(page), pageBytes: Self.pageBytes)
                #expect(!lost.contains(page), "page \(page) is not what was written")
                #expect(found == Self.expected(page))
            } catch {
                guard case .damagedPage(address(page), _, _) = error, lost.contains(page) else {
                    Issue.record("page \(page): \(error)")
                    return
                }
                #expect(error.sentence.code == .dataLoss)
            }
        }
    }

    /// Steps of two pages each, to the end.
    private func scrub(_ store: SliceStore) throws -> (verified: Int, damaged: Set<UInt64>) {
        var damaged: Set<UInt64> = []
        var verified = 0
        var cursor: ScrubCursor?
        var steps = 0
        repeat {
            let step = try store.scrub(0, from: cursor, budgetBytes: 2 * Self.pageBytes)
            #expect(step.bytesRead <= 2 * Self.pageBytes)
            for damage in step.damaged { #expect(damaged.insert(damage.address.page).inserted) }
            verified += step.pagesVerified
            cursor = step.next
            steps += 1
        } while cursor != nil
        #expect(steps >= Int(Self.pages) / 2)
        return (verified, damaged)
    }

    @Test("A scrub counts each page once while writes go on, and leaves out what is in memory")
    func scrubWhileWriting() throws {
        let disk = FaultyDisk()
        let store = try SliceStore.open(
            folder: "/data", fileSystem: disk, identity: testIdentity, partitions: [0])
        _ = try store.recover(0)
        let spread = Layout.segmentBytes / UInt64(Self.pageBytes) / 3
        for page in 0..<Self.pages {
            try store.write(
                pattern(100, seed: page), at: 9, of: address(page * spread),
                pageBytes: Self.pageBytes)
        }
        #expect(try store.scrub(0, from: nil, budgetBytes: 1).next == nil)
        try store.flush(0)
        var cursor: ScrubCursor?
        var verified = 0
        var steps = 0
        repeat {
            let step = try store.scrub(0, from: cursor, budgetBytes: 1)
            verified += step.pagesVerified
            #expect(step.damaged.isEmpty)
            cursor = step.next
            steps += 1
            // The page that comes last is in the write buffer from now on.
            try store.write(
                Bytes([UInt8(steps % 200)]), at: 0, of: address((Self.pages - 1) * spread),
                pageBytes: Self.pageBytes)
            if steps % 3 == 0 {
                try store.write(
                    Bytes([3]), at: 0, of: address(UInt64(steps) % 3 * spread),
                    pageBytes: Self.pageBytes)
            }
        } while cursor != nil
        #expect(verified == Int(Self.pages) - 1)
        #expect(store.counts.verifiedPages == UInt64(verified))
        #expect(store.counts.damagedPages == 0)
    }
}
