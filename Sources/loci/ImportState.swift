import Foundation
import LociClient
import Synchronization

/// How far an import came, in a small file under the user's state folder, so that an interrupted
/// one goes on. The file is found by cluster, collection and content of the source (path, sizes,
/// times of change): a source that changed is imported from its start.
final class ImportState: Sendable {
    private let file: URL
    private let lastSaved = Mutex<ContinuousClock.Instant?>(nil)

    private static let interval = Duration.milliseconds(500)

    init(cluster: UInt64, collection: String, paths: [String]) {
        let content = paths.map { path in
            let absolute = URL(filePath: path).standardizedFileURL.path(percentEncoded: false)
            return Self.fingerprint(of: absolute)
        }
        let description = "\(cluster)|\(collection)|\(content.joined(separator: "|"))"
        let key = Show.identity(Bytes(utf8: description).checksum())
        file = Self.folder.appending(path: key)
    }

    /// Rows that earlier runs had acknowledged, from the first on without a gap.
    var rows: UInt64 {
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return 0 }
        return UInt64(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    /// Remembers the count, at most twice a second unless it is the last. An import does not fail
    /// because its state cannot be kept: it would start over, and replace what it stored.
    func save(_ rows: UInt64, isLast: Bool = false) {
        let isDue = lastSaved.withLock { last in
            let now = ContinuousClock.now
            if !isLast, let last, now - last < Self.interval { return false }
            last = now
            return true
        }
        guard isDue, rows > 0 else { return }
        try? FileManager.default.createDirectory(
            at: Self.folder, withIntermediateDirectories: true)
        try? Data("\(rows)\n".utf8).write(to: file, options: .atomic)
    }

    func remove() { try? FileManager.default.removeItem(at: file) }

    private static var folder: URL {
        let environment = ProcessInfo.processInfo.environment
        let base =
            environment["XDG_STATE_HOME"].map { URL(filePath: $0) }
            ?? URL(filePath: environment["HOME"] ?? "/tmp").appending(path: ".local/state")
        return base.appending(path: "loci/imports")
    }

    /// Path, size and time of change of a file, or of all files of a folder in the order of their
    /// names.
    private static func fingerprint(of path: String) -> String {
        var names = [""]
        if let inside = FileManager.default.enumerator(atPath: path) {
            names += inside.compactMap { $0 as? String }.sorted()
        }
        var hash: UInt64 = 0
        for name in names {
            let whole = name.isEmpty ? path : path + "/" + name
            let attributes = try? FileManager.default.attributesOfItem(atPath: whole)
            let size = attributes?[.size] as? NSNumber
            let date = attributes?[.modificationDate] as? Date
            let line = "\(whole)|\(size ?? 0)|\(date?.timeIntervalSince1970 ?? 0)"
            hash = Bytes(utf8: line).checksum(seed: hash)
        }
        return "\(path)|\(hash)"
    }
}
