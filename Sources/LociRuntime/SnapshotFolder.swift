import Glibc
import LociBase
import LociCluster
import LociModel
import LociStorage

/// The folder in which snapshots are kept, as the coordinator sees it.
///
/// Invariants:
/// - A snapshot has its name only once its manifest is durable; until then its folder's name begins
///   with a dot and is not listed.
struct SnapshotFolder: Sendable {
    let path: String
    /// Names a file in each folder that this cluster has begun: nothing else is ever removed.
    private let mark: String
    private let fileSystem = LinuxFileSystem()

    init(_ path: String, clusterID: UInt64) {
        self.path = path
        mark = "of-cluster-" + String(clusterID, radix: 16)
    }

    /// Removes what this cluster's snapshots that were never completed have left.
    func removeUnfinished() throws(StorageError) {
        guard fileSystem.exists(path) else { return }
        for name in try fileSystem.list(path) where name.hasPrefix(".") {
            let folder = "\(path)/\(name)"
            if fileSystem.exists("\(folder)/\(mark)") { try fileSystem.removeTree(folder) }
        }
    }

    /// - Returns: The time of day in seconds since 1970.
    /// - Throws: ALREADY_EXISTS if there is a snapshot of that name.
    func prepare(_ place: SnapshotPlace) throws(LociError) -> UInt64 {
        guard !fileSystem.exists("\(path)/\(place.name)") else { throw Self.taken(place.name) }
        try inSentence { () throws(StorageError) in
            let folder = "\(path)/\(place.workingFolder)"
            try fileSystem.createFolder(folder)
            _ = try fileSystem.open("\(folder)/\(mark)", create: true)
        }
        return UInt64(max(0, time(nil)))
    }

    func publish(
        _ manifest: SnapshotManifest, _ files: [SnapshotFile]
    ) throws(LociError) {
        let name = manifest.place.name
        guard !fileSystem.exists("\(path)/\(name)") else { throw Self.taken(name) }
        try inSentence { () throws(StorageError) in
            let working = "\(path)/\(manifest.place.workingFolder)"
            let store = try MetadataStore(folder: working, fileSystem: LinuxFileSystem())
            for file in files { try store.store(file.content, as: file.name) }
            try store.store(manifest.encoded, as: SnapshotManifest.fileName)
            try fileSystem.rename(working, to: "\(path)/\(name)")
            try fileSystem.syncFolder(path)
        }
    }

    /// What cannot be removed now goes with the next start.
    func discard(_ place: SnapshotPlace) {
        try? fileSystem.removeTree("\(path)/\(place.workingFolder)")
    }

    /// Manifests of complete snapshots; folders that have none are passed over.
    func list() throws(LociError) -> [SnapshotManifest] {
        guard fileSystem.exists(path) else { return [] }
        let names = try inSentence { () throws(StorageError) in try fileSystem.list(path) }
        var manifests: [SnapshotManifest] = []
        for name in names where !name.hasPrefix(".") {
            let content = try inSentence { () throws(StorageError) -> Bytes? in
                let folder = "\(path)/\(name)"
                guard fileSystem.exists("\(folder)/\(SnapshotManifest.fileName)") else {
                    return nil
                }
                return try MetadataStore(folder: folder, fileSystem: LinuxFileSystem())
                    .load(SnapshotManifest.fileName)
            }
            if let content { manifests.append(try SnapshotManifest(encoded: content)) }
        }
        return manifests
    }

    private static func taken(_ name: String) -> LociError {
        LociError(
            .alreadyExists, "There is a snapshot '\(name)' already.",
            advice: "Choose another name, or remove its folder.")
    }
}
