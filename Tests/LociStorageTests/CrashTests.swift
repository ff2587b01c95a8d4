import Glibc
import LociBase
import Testing

@testable import LociStorage

@Suite("No acknowledged write is lost")
struct CrashTests {
    @Test("Loss of power, kills and failing disks at random moments")
    func randomLives() throws {
        for seed in UInt64(0)..<100 {
            do {
                try live(seed: seed)
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
        }
    }

    private func live(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let model = SliceModel()
        for _ in 0..<8 {
            let dies = random.chance(0.8)
            if dies {
                model.fileSystem.failure = InjectedFailure(
                    operation: UInt64(1 + random.below(120)), errno: EIO, isSticky: true)
            }
            do {
                try model.open()
                for _ in 0..<12 { try step(model, &random) }
            } catch let error as StorageError {
                try #require(dies, "\(error)")
                try #require(error == .io(operation: error.operation, path: error.path, errno: EIO))
            }
            model.fileSystem.failure = nil
            if random.chance(0.8) { model.crash(seed: random.next()) } else { model.endProcess() }
        }
        try model.open()
    }

    private func step(_ model: SliceModel, _ random: inout SeededRandom) throws {
        switch random.below(10) {
        case 0..<6: try model.append((0...random.below(4)).map { _ in Edit(using: &random) })
        case 6: try model.writePages()
        case 7: try model.flush()
        case 8:
            try model.writePages()
            try model.checkPages()
        default: try model.checkpoint()
        }
    }

    struct Sweep: Sendable, CustomTestStringConvertible {
        let errno: Int32
        let isSticky: Bool
        var testDescription: String { "errno \(errno), \(isSticky ? "sticky" : "once")" }

        /// Whether the process ends or power is lost after the failure: both where the device fails
        /// once, which leaves the most to do; in turns elsewhere.
        func endings(_ operation: UInt64) -> [Bool] {
            errno == EIO && !isSticky ? [false, true] : [operation % 2 == 0]
        }
    }

    static let sweeps = [
        Sweep(errno: EIO, isSticky: false), Sweep(errno: EIO, isSticky: true),
        Sweep(errno: ENOSPC, isSticky: false), Sweep(errno: ENOSPC, isSticky: true),
    ]

    @Test("Whichever operation fails, what was acknowledged is found again", arguments: sweeps)
    func sweep(sweep: Sweep) throws {
        for operation in UInt64(1)... {
            for ends in sweep.endings(operation) {
                let model = SliceModel()
                model.fileSystem.failure = InjectedFailure(
                    operation: operation, errno: sweep.errno, isSticky: sweep.isSticky)
                let errors = script(model)
                if model.fileSystem.operations < operation {
                    try #require(errors.isEmpty && operation > 100)
                    return
                }
                model.fileSystem.failure = nil
                if ends { model.endProcess() } else { model.crash(seed: operation) }
                do {
                    try model.open()
                    // What recovery has found is durable, even where the life before saw a sync
                    // fail.
                    model.crash(seed: operation + 1)
                    try model.open()
                    try model.append([])
                    try model.checkpoint()
                } catch {
                    Issue.record("operation \(operation): \(error)")
                    return
                }
            }
        }
    }

    /// Goes on after an error as a shard would; a final error must meet every later step.
    private func script(_ model: SliceModel) -> [StorageError] {
        var random = SeededRandom(seed: 11)
        var errors: [StorageError] = []
        var isFinal = false
        func attempt(_ body: () throws -> Void) {
            do {
                try body()
                #expect(!isFinal, "the partition went on after \(errors)")
            } catch let error as StorageError {
                errors.append(error)
                if !error.isOutOfSpace { isFinal = true }
            } catch {
                Issue.record("\(error)")
            }
        }
        attempt { try model.open() }
        if !errors.isEmpty { return errors }
        for round in 0..<3 {
            for _ in 0..<2 {
                let edits = (0..<3).map { _ in Edit(using: &random) }
                attempt { try model.append(edits) }
            }
            attempt { round % 2 == 0 ? try model.checkpoint() : try model.flush() }
        }
        return errors
    }

    @Test("A checkpoint that found no space, and then a loss of power in the next one")
    func interruptedTwice() throws {
        var random = SeededRandom(seed: 3)
        let edits = (0..<9).map { _ in Edit(using: &random) }
        let steps = UInt64(30)
        for first in 1...steps {
            for second in 1...steps {
                let model = SliceModel()
                try model.open()
                try model.append(Array(edits[..<3]))
                try model.checkpoint()
                try model.append(Array(edits[3..<6]))
                try model.writePages()
                model.fileSystem.failure = InjectedFailure(operation: first, errno: ENOSPC)
                do { try model.checkpoint() } catch let error as StorageError {
                    if !error.isOutOfSpace { continue }
                }
                model.fileSystem.failure = nil
                try model.append(Array(edits[6...]))
                try model.writePages()
                model.fileSystem.failure = InjectedFailure(
                    operation: second, errno: EIO, isSticky: true)
                try? model.checkpoint()
                model.fileSystem.failure = nil
                model.crash(seed: first * 100 + second)
                do { try model.open() } catch {
                    Issue.record("operations \(first), \(second): \(error)")
                    return
                }
            }
        }
    }

    @Test("A full disk refuses writes, keeps what it has, and goes on when there is space")
    func fullDisk() throws {
        var random = SeededRandom(seed: 5)
        let model = SliceModel()
        try model.open()
        model.fileSystem.spaceLimit = 90_000
        var refusals = 0
        for round in 0..<400 where refusals < 5 {
            let edits = [Edit(using: &random)]
            do {
                try model.append(edits)
                try model.writePages()
                if round % 10 == 9 { try model.checkpoint() }
            } catch let error as StorageError {
                try model.checkPages()
                #expect(error.isOutOfSpace)
                refusals += 1
            }
        }
        #expect(refusals == 5)
        model.fileSystem.spaceLimit = nil
        try model.append([Edit(using: &random)])
        try model.writePages()
        try model.checkPages()
        model.crash(seed: 1)
        try model.open()
    }
}

extension StorageError {
    fileprivate var operation: String {
        if case .io(let operation, _, _) = self { operation } else { "" }
    }
    fileprivate var path: String {
        if case .io(_, let path, _) = self { path } else { "" }
    }
}
