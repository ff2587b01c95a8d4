import Glibc
import LociBase

/// Checks the files of shards that do not run, and changes nothing.
///
/// A bit that is flipped, a write that was torn, lost or went elsewhere, a file that is missing,
/// cut, swapped or foreign: each gives a finding that names the file, the place in it, and the page
/// or record that is lost. What only the next start would mend, or a crash leaves behind, is told
/// apart from damage. Memory is bounded by the largest log file.
public enum SliceVerifier {
    static let restore = "Restore the data folder from a copy or a snapshot."

    /// Checks a shard's folder, a coordinator's, or a cluster's data folder with those inside.
    /// - Parameters:
    ///   - fileSystem: A `ReadingFileSystem`, or one in memory.
    ///   - coldFolder: The path of the hdd tier, or the shard's folder in it. Without it, pages
    ///     that lie there are only counted.
    ///   - onProgress: Bytes that are checked, and that there are to check, at least.
    /// - Throws: `locked` if a process uses one of the folders; `foreign` if it holds none of
    ///   these.
    public static func verify(
        _ folder: String, _ fileSystem: any StorageFileSystem, coldFolder: String? = nil,
        onProgress: @escaping (UInt64, UInt64) -> Void = { _, _ in },
        onFinding: @escaping (VerifyFinding) -> Void = { _ in }
    ) throws(StorageError) -> VerifyReport {
        let parts = try parts(of: folder, fileSystem)
        for part in parts { try fileSystem.lock(part.folder) }
        var total: UInt64 = 0
        for part in parts { total += allocatedBytes(part.folder, fileSystem) }
        let run = VerifyRun(
            fileSystem, totalBytes: total, onProgress: onProgress, onFinding: onFinding)
        var clusterID: UInt64?
        for part in parts {
            switch part.kind {
            case .coordinator: verifyMetadata(part.folder, run)
            case .shard(let number):
                verifyShard(part.folder, number, coldFolder, cluster: &clusterID, run)
            }
        }
        return run.report
    }

    // MARK: Folders

    private struct Part {
        enum Kind {
            case coordinator
            /// With the number that the folder's name gives, if it gives one.
            case shard(ShardIndex?)
        }
        let kind: Kind
        let folder: String
    }

    static let shardPrefix = "shard-"
    static let coordinatorFolder = "coordinator"

    private static func parts(
        of folder: String, _ fileSystem: any StorageFileSystem
    ) throws(StorageError) -> [Part] {
        guard fileSystem.exists(folder) else {
            throw .io(operation: "open", path: folder, errno: ENOENT)
        }
        let names = try fileSystem.list(folder)
        if names.contains(where: { $0 == "identity" || $0.hasPrefix(PartitionPlace.prefix) }) {
            return [Part(kind: .shard(shardNumber(in: folder)), folder: folder)]
        }
        if lastName(of: folder) == coordinatorFolder {
            return [Part(kind: .coordinator, folder: folder)]
        }
        var parts: [Part] = []
        for name in names {
            let inside = folder + "/" + name
            if name == coordinatorFolder {
                parts.append(Part(kind: .coordinator, folder: inside))
            } else if let number = shardNumber(in: inside) {
                parts.append(Part(kind: .shard(number), folder: inside))
            }
        }
        if parts.isEmpty {
            throw .foreign(
                path: folder, what: "it holds neither a shard's files nor shards' folders")
        }
        return parts
    }

    static func lastName(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    private static func shardNumber(in folder: String) -> ShardIndex? {
        let name = lastName(of: folder)
        return name.hasPrefix(shardPrefix) ? ShardIndex(name.dropFirst(shardPrefix.count)) : nil
    }

    /// What there is to read; what cannot be read is found when it is its turn.
    private static func allocatedBytes(
        _ folder: String, _ fileSystem: any StorageFileSystem
    ) -> UInt64 {
        var total: UInt64 = 0
        for name in (try? fileSystem.list(folder)) ?? [] {
            let path = folder + "/" + name
            if let file = try? fileSystem.open(path, create: false),
                let bytes = try? file.allocatedBytes(), let size = try? file.size()
            {
                total += min(bytes, size)
            }
            total += allocatedBytes(path, fileSystem)
        }
        return total
    }

    // MARK: A coordinator

    private static func verifyMetadata(
        _ folder: String, _ run: VerifyRun
    ) {
        let store = MetadataStore(reading: folder, run.fileSystem)
        for name in run.list(folder) where name != "lock" {
            let path = folder + "/" + name
            if name.hasSuffix(".new") {
                run.find(
                    .note, .metadata, path, "a crash left it behind while it was written",
                    advice: "The next start replaces it.")
                continue
            }
            do throws(StorageError) {
                let content = try store.load(name)
                run.countFile(bytes: UInt64(content?.count ?? 0))
            } catch {
                run.find(.damage, .metadata, error, path, advice: restore)
            }
        }
    }

    // MARK: A shard

    private static func verifyShard(
        _ folder: String, _ number: ShardIndex?, _ coldFolder: String?,
        cluster: inout UInt64?, _ run: VerifyRun
    ) {
        guard let identity = verifyIdentity(folder, run) else { return }
        let path = folder + "/identity"
        if let number, identity.shard != number {
            run.find(
                .damage, .foreign, path,
                "it is of shard \(identity.shard), and the folder's name "
                    + "says shard \(number)",
                advice: "Give the folders of the shards their names back.")
        }
        if let cluster, identity.clusterID != cluster {
            run.find(
                .damage, .foreign, path,
                "it is of cluster \(hexadecimal(identity.clusterID)), and shards beside it are of "
                    + "cluster \(hexadecimal(cluster))",
                advice: "Put the folder of the right cluster here.")
        }
        cluster = cluster ?? identity.clusterID
        let hasColdTier = run.fileSystem.exists(folder + "/cold-tier")
        let cold = coldFolder.map { extents(in: $0, of: folder, run.fileSystem) }
        for name in run.list(folder) {
            if name == "identity" || name == "lock" || name == "cold-tier" { continue }
            guard name.hasPrefix(PartitionPlace.prefix),
                let partition = PartitionIndex(name.dropFirst(PartitionPlace.prefix.count))
            else {
                if name == "identity.new" {
                    run.find(
                        .note, .identity, folder + "/" + name,
                        "a crash left it behind while it was written",
                        advice: "The next start replaces it.")
                } else {
                    run.noteUnknown(folder + "/" + name)
                }
                continue
            }
            let place = PartitionPlace(
                partition, in: folder, run.fileSystem, identity, StorageTuning())
            PartitionVerifier(place, run, cold: cold, hasColdTier: hasColdTier).verify()
        }
    }

    private static func extents(
        in coldFolder: String, of folder: String, _ fileSystem: any StorageFileSystem
    ) -> ExtentStore {
        let inside = coldFolder + "/" + lastName(of: folder)
        let backend = FolderBackend(
            folder: fileSystem.exists(inside) ? inside : coldFolder, fileSystem: fileSystem)
        return ExtentStore(ColdTier(backend: backend))
    }

    /// - Returns: Whose the folder is; by its other files if need be.
    private static func verifyIdentity(_ folder: String, _ run: VerifyRun) -> SliceIdentity? {
        let path = folder + "/identity"
        do throws(StorageError) {
            guard run.fileSystem.exists(path) else {
                throw .corrupt(path: path, what: "it is missing")
            }
            let file = try run.fileSystem.open(path, create: false)
            let size = try file.size()
            run.countFile(bytes: size)
            guard let header = try HeaderView(of: file) else {
                throw .corrupt(path: path, what: "its header is cut short")
            }
            _ = try FileHeader(
                try file.read(at: 0, count: FileHeader.byteCount), path, kind: .identity,
                identity: header.identity, partition: PartitionIndex.max)
            if size > UInt64(FileHeader.byteCount) {
                throw .corrupt(path: path, what: "it has more bytes than an identity has")
            }
            return header.identity
        } catch {
            run.find(.damage, .identity, error, path, advice: restore)
            return identityOfOthers(folder, run)
        }
    }

    private static func identityOfOthers(_ folder: String, _ run: VerifyRun) -> SliceIdentity? {
        for name in run.list(folder) where name.hasPrefix(PartitionPlace.prefix) {
            for copy in SuperblockPair.copies {
                let path = folder + "/" + name + "/" + copy
                if let file = try? run.fileSystem.open(path, create: false),
                    let header = try? HeaderView(of: file), header.isIntact
                {
                    return header.identity
                }
            }
        }
        return nil
    }
}
