import LociBase
import LociModel
import Synchronization
import Testing

@testable import LociStorage

/// Set once by whoever moves.
private final class Flag: Sendable {
    let isSet = Atomic(false)
}

@Suite("Extents move under those who read and write them")
struct ExtentRaceTests {
    private let stage = ExtentStage()

    @Test("Readers see every page whole, whichever way it goes", .timeLimit(.minutes(1)))
    func readers() async throws {
        let scratch = Scratch(.linux)
        let store = try stage.open(scratch)
        try stage.write(0..<128, store)
        let done = Flag()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for reader in UInt64(0)..<2 {
                group.addTask { [stage] in
                    var random = SeededRandom(seed: reader)
                    var reads = 0
                    while !done.isSet.load(ordering: .acquiring) {
                        let first = UInt64(random.below(44))
                        let requests = (first..<(first + 16)).map {
                            PageRequest(address: stage.address($0), pageBytes: stage.pageBytes)
                        }
                        let answers = store.readPages(requests, into: HeapPageMemory())
                        for (page, answer) in zip(first..., answers) {
                            guard case .loaded(let bytes, _) = answer else {
                                throw StorageError.corrupt(path: "\(page)", what: "\(answer)")
                            }
                            try #require(bytes == stage.text(page), "page \(page)")
                            reads += 1
                        }
                        await Task.yield()
                    }
                    return reads
                }
            }
            group.addTask { [stage] in
                defer { done.isSet.store(true, ordering: .releasing) }
                for round in UInt64(0)..<60 {
                    let isCold = round % 2 == 0
                    guard case .moved = try stage.move(stage.extent, cold: isCold, store) else {
                        throw StorageError.corrupt(path: "\(round)", what: "nothing moved")
                    }
                    // Other pages of the extent go back to the segment by a flush.
                    try stage.write((60 + round % 4)..<(61 + round % 4), store)
                    await Task.yield()
                }
                return 1
            }
            for try await count in group { #expect(count > 0) }
        }
        #expect(store.counts.damagedPages == 0)
        #expect(store.migrationCounts.demotedExtents == 30)
    }
}
