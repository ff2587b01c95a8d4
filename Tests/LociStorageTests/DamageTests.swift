import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Damaged and foreign files are noticed")
struct DamageTests {
    /// A slice with a snapshot, several log files and pages.
    private func build() throws -> SliceModel {
        var random = SeededRandom(seed: 21)
        let model = SliceModel()
        try model.open()
        for round in 0..<4 {
            for _ in 0..<(round == 3 ? 60 : 4) {
                try model.append((0..<3).map { _ in Edit(using: &random) })
            }
            if round < 3 { try model.checkpoint() }
        }
        // The last log file shall hold many appends.
        func lastLogBytes() throws -> UInt64 {
            let last = try files(model).filter { $0.hasSuffix(".log") }.max()!
            return try model.fileSystem.open(last, create: false).size()
        }
        while try !(3000..<6000).contains(lastLogBytes()) {
            try model.append([Edit(using: &random)])
        }
        try model.writePages()
        model.endProcess()
        return model
    }

    private func files(_ model: SliceModel) throws -> [String] {
        try allFiles(model.fileSystem, SliceModel.folder).filter { !$0.hasSuffix(".segment") }
    }

    /// - Returns: Records found, or nil if the damage was refused.
    private func recovered(_ fileSystem: MemoryFileSystem, _ edits: [Edit]) throws -> Int? {
        do {
            let store = try SliceStore.open(
                folder: SliceModel.folder, fileSystem: fileSystem, identity: testIdentity,
                partitions: [Edit.partition], tuning: SliceModel.tuning)
            let recovered = try store.recover(Edit.partition)
            return try SliceModel.check(recovered, against: edits) + recovered.records.count
        } catch let error as StorageError {
            switch error {
            case .corrupt, .foreign: return nil
            default: throw error
            }
        }
    }

    @Test("A flipped bit is detected or harmless, never a wrong record")
    func bitFlips() throws {
        let model = try build()
        let files = try files(model)
        try #require(files.filter { $0.hasSuffix(".log") }.count > 2)
        try #require(files.count >= 7)
        var random = SeededRandom(seed: 1)
        var refused: [String: Int] = [:]
        for flip in 0..<2000 {
            let path = files[flip % files.count]
            let copy = model.fileSystem.copy()
            let file = try copy.open(path, create: false)
            let position = UInt64(random.below(Int(try file.size())))
            let old = try file.read(at: position, count: 1)[0]
            try file.write(Bytes([old ^ (1 << UInt8(random.below(8)))]), at: position)
            try file.sync()
            guard let found = try recovered(copy, model.acknowledged) else {
                refused[path, default: 0] += 1
                continue
            }
            // What is torn and what is damaged looks alike only in the last append.
            #expect(found >= model.acknowledged.count - model.lastBatch, "\(path) at \(position)")
            #expect(
                !path.hasSuffix("identity") && !path.contains("state-"), "\(path) at \(position)")
        }
        // All but the last log file are followed by another; each flip there must be refused.
        let logs = files.filter { $0.hasSuffix(".log") }.sorted()
        for path in logs.dropLast() { #expect(refused[path]! >= 2000 / files.count) }
        #expect(refused[logs.last!]! > 0)
    }

    @Test("A cut file is detected, or a shorter log without wrong records")
    func truncation() throws {
        let model = try build()
        for path in try files(model) {
            let size = try model.fileSystem.open(path, create: false).size()
            for step in UInt64(0)..<40 {
                let copy = model.fileSystem.copy()
                let file = try copy.open(path, create: false)
                try file.resize(to: size * step / 40)
                try file.sync()
                let found = try recovered(copy, model.acknowledged)
                if path.contains("state-") || path.hasSuffix("identity") {
                    #expect(found == nil, "\(path) cut to \(size * step / 40)")
                } else if path.contains("superblock") {
                    #expect(found == model.acknowledged.count)
                }
            }
        }
    }

    @Test("Lost files are noticed")
    func lostFiles() throws {
        let model = try build()
        for path in try files(model) {
            let copy = model.fileSystem.copy()
            try copy.remove(path)
            let found = try recovered(copy, model.acknowledged)
            let isLastLog = path == (try files(model)).filter { $0.hasSuffix(".log") }.max()
            if path.contains("superblock") {
                #expect(found == model.acknowledged.count)
            } else if !isLastLog && !path.contains("double-write") {
                #expect(found == nil, "\(path) removed")
            }
        }
        let copy = model.fileSystem.copy()
        for path in try files(model) where path.contains("superblock") { try copy.remove(path) }
        #expect(try recovered(copy, model.acknowledged) == nil)
    }

    @Test("The folder of another cluster or shard is refused with a sentence")
    func foreign() throws {
        let model = try build()
        for identity in [
            SliceIdentity(clusterID: 1, shard: testIdentity.shard),
            SliceIdentity(clusterID: testIdentity.clusterID, shard: 0),
        ] {
            let error = #expect(throws: StorageError.self) {
                try SliceStore.open(
                    folder: SliceModel.folder, fileSystem: model.fileSystem.copy(),
                    identity: identity, partitions: [])
            }
            guard case .foreign = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error!.sentence.code == .failedPrecondition)
        }
    }

    @Test("A log file of another partition is not taken for this one's")
    func swappedPartitions() throws {
        let fileSystem = MemoryFileSystem()
        func open() throws -> SliceStore {
            try SliceStore.open(
                folder: "/data", fileSystem: fileSystem, identity: testIdentity,
                partitions: [0, 1])
        }
        do {
            let store = try open()
            for partition: PartitionIndex in [0, 1] {
                _ = try store.recover(partition)
                _ = try store.append([Bytes(utf8: "\(partition)")], to: partition)
            }
        }
        let name = "/log/0000000000000001.log"
        let source = try fileSystem.open("/data/partition-0" + name, create: false)
        let bytes = try source.read(at: 0, count: Int(try source.size()))
        try fileSystem.open("/data/partition-1" + name, create: false).write(bytes, at: 0)
        fileSystem.endProcess()
        let store = try open()
        #expect(try store.recover(0).records.map(\.payload.string) == ["0"])
        let error = #expect(throws: StorageError.self) { try store.recover(1) }
        guard case .foreign = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
