import LociBase
import LociStorage
import Testing

@Suite("Metadata files") struct MetadataStoreTests {
    @Test("After a loss of power at any operation, the old content is there or the new, whole")
    func contentIsReplacedAsAWhole() throws {
        let old = Bytes(values: (0..<900).map { UInt64($0) })
        let new = Bytes(values: (0..<1300).map { UInt64($0) &* 7 })
        var sawOld = false
        var sawNew = false
        for operation in 1...12 {
            for seed in 0..<8 {
                let disk = MemoryFileSystem()
                try MetadataStore(folder: "c", fileSystem: disk).store(old, as: "metadata")
                disk.endProcess()
                let store = try MetadataStore(folder: "c", fileSystem: disk)
                disk.failure = InjectedFailure(
                    operation: UInt64(operation), errno: 5, isSticky: true)
                let isStored = (try? store.store(new, as: "metadata")) != nil
                disk.failure = nil
                disk.crash(seed: UInt64(seed))
                let found = try MetadataStore(folder: "c", fileSystem: disk).load("metadata")
                #expect(found == old || found == new)
                if isStored { #expect(found == new) }
                sawOld = sawOld || found == old
                sawNew = sawNew || found == new
            }
        }
        #expect(sawOld && sawNew)
    }

    @Test("A flipped bit is noticed, and what was never stored is absent")
    func damageIsNoticed() throws {
        let disk = MemoryFileSystem()
        let store = try MetadataStore(folder: "c", fileSystem: disk)
        #expect(try store.load("metadata") == nil)
        try store.store(Bytes(utf8: "a cluster"), as: "metadata")
        let file = try disk.open("c/metadata", create: false)
        let size = Int(try file.size())
        for position in 0..<size {
            let byte = try file.read(at: UInt64(position), count: 1)
            try file.write(Bytes([byte[0] ^ 4]), at: UInt64(position))
            #expect(throws: StorageError.self) { try store.load("metadata") }
            try file.write(byte, at: UInt64(position))
        }
        #expect(try store.load("metadata") == Bytes(utf8: "a cluster"))
    }

    @Test("A folder in use is refused")
    func aSecondProcessIsRefused() throws {
        let disk = MemoryFileSystem()
        let store = try MetadataStore(folder: "c", fileSystem: disk)
        #expect(throws: StorageError.self) { try MetadataStore(folder: "c", fileSystem: disk) }
        withExtendedLifetime(store) {}
    }
}
