import LociBase

/// The file `identity`: whose folder it is, and how often it was opened.
enum IdentityFile {
    /// Checks that the folder belongs to `identity`, or makes it so if it is new.
    /// - Returns: The new incarnation, durable.
    static func open(
        _ folder: String, _ fileSystem: any StorageFileSystem, _ identity: SliceIdentity
    ) throws(StorageError) -> UInt64 {
        let path = folder + "/identity"
        var incarnation: UInt64 = 1
        if fileSystem.exists(path) {
            let file = try fileSystem.open(path, create: false)
            let bytes = try file.read(at: 0, count: Int(try file.size()))
            let header = try FileHeader(
                bytes, path, kind: .identity, identity: identity, partition: noPartition)
            incarnation = header.number + 1
        } else if try fileSystem.list(folder).contains(where: {
            $0.hasPrefix(PartitionPlace.prefix)
        }) {
            throw .corrupt(path: path, what: "it is missing, while there are partitions beside it")
        }
        try replace(path, fileSystem, identity, incarnation: incarnation)
        try fileSystem.syncFolder(folder)
        return incarnation
    }

    private static func replace(
        _ path: String, _ fileSystem: any StorageFileSystem, _ identity: SliceIdentity,
        incarnation: UInt64
    ) throws(StorageError) {
        let header = FileHeader(
            kind: .identity, identity: identity, partition: noPartition, number: incarnation,
            proof: 0)
        do throws(StorageError) {
            let file = try fileSystem.open(path + ".new", create: true)
            try file.resize(to: 0)
            try file.write(header.encoded, at: 0)
            try file.sync()
            try fileSystem.rename(path + ".new", to: path)
        } catch .noSpace where incarnation > 1 {
            // A shard starts on a full disk, too, and reads. A header lies in one sector, which a
            // loss of power does not tear.
            try fileSystem.remove(path + ".new")
            let file = try fileSystem.open(path, create: false)
            try file.write(header.encoded, at: 0)
            try file.sync()
        }
    }

    private static let noPartition = PartitionIndex.max
}
