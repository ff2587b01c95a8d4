import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Verify, inspect and scrub of pages on the cold tier")
struct VerifyColdTests {
    private let stage = ExtentStage()

    /// 64 pages, the first 48 of them in a cold extent that fits no more.
    private func scratch() throws -> Scratch {
        let scratch = Scratch(.memory)
        let store = try stage.open(scratch)
        try stage.write(0..<64, store)
        _ = try store.demote(stage.extent, pageBytes: stage.pageBytes)
        try stage.write(60..<80, store)
        let end = try store.append([Bytes(utf8: "end")], to: 0)
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        scratch.endProcess()
        return scratch
    }

    private func verify(_ scratch: Scratch, isCold: Bool = true) throws -> VerifyReport {
        scratch.endProcess()
        return try SliceVerifier.verify(
            scratch.path("slice"), scratch.fileSystem,
            coldFolder: isCold ? scratch.path("slow/shard-2") : nil)
    }

    @Test("Pages are found where they are, and counted where nobody looks")
    func places() throws {
        let scratch = try scratch()
        let all = try verify(scratch)
        #expect(all.findings.isEmpty, "\(all.findings)")
        #expect(all.pages == 80 && all.coldPages == 0)
        let near = try verify(scratch, isCold: false)
        #expect(near.findings.isEmpty && near.pages == 20 && near.coldPages == 60)
        scratch.endProcess()
        let store = try stage.open(scratch)
        let step = try store.scrub(0, from: nil, budgetBytes: 1 << 30)
        #expect(step.pagesVerified == 80 && step.damaged.isEmpty)
    }

    @Test("A flipped bit in an extent is found, by verify and by scrub, as are lost extents")
    func damage() throws {
        let scratch = try scratch()
        let folder = scratch.path("slow/shard-2/cold-0/space-4")
        let path = folder + "/" + (try #require(try scratch.fileSystem.list(folder).first))
        let size = try scratch.fileSystem.open(path, create: false).size()
        let shown = try FileInspection.inspect(path, scratch.fileSystem, limit: 5)
        #expect(shown.facts.contains { $0.name == "kind" && $0.value == "extent" })
        var random = SeededRandom(seed: 2)
        var lost = 0
        var unread = 0
        for _ in 0..<150 {
            let position = UInt64(random.below(Int(size)))
            func flip() throws {
                let file = try scratch.fileSystem.open(path, create: false)
                let old = try file.read(at: position, count: 1)[0]
                try file.write(Bytes([old ^ 16]), at: position)
            }
            try flip()
            let report = try verify(scratch)
            if report.findings.isEmpty { unread += 1 } else { lost += 1 }
            #expect(report.findings.allSatisfy { $0.severity == .damage && $0.kind == .page })
            try flip()
        }
        // Frames of the four pages that were written anew since: nobody reads them.
        #expect(lost > 120 && unread < 25, "\(lost) found, \(unread) not read")
        try scratch.fileSystem.remove(path)
        #expect(try verify(scratch).findings.count == 60)
        scratch.endProcess()
        let store = try stage.open(scratch)
        let step = try store.scrub(0, from: nil, budgetBytes: 1 << 30)
        #expect(step.pagesVerified == 20 && step.damaged.count == 60)
    }
}
