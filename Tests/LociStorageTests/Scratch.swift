import Glibc
import LociBase

@testable import LociStorage

/// The implementations that the conformance suite runs on.
enum FileSystemKind: CaseIterable, Sendable {
    /// The machine's files with page-ins out of a mapping.
    case linux
    case buffered, direct, ring
    case memory

    static let machine: [FileSystemKind] = [.linux, .buffered, .direct, .ring]

    /// nil if the files are not the machine's.
    var pageIn: PageInKind? {
        switch self {
        case .linux: .mapped
        case .buffered: .buffered
        case .direct: .direct
        case .ring: .ring
        case .memory: nil
        }
    }
}

/// A file system with an empty folder in it, which goes with this object.
final class Scratch {
    let folder: String
    private(set) var fileSystem: any StorageFileSystem
    private let kind: FileSystemKind

    init(_ kind: FileSystemKind) {
        self.kind = kind
        if let pageIn = kind.pageIn {
            var template = Array("/tmp/loci-storage-XXXXXX".utf8CString)
            folder = String(cString: mkdtemp(&template))
            fileSystem = LinuxFileSystem(pageIn: pageIn)
        } else {
            folder = "/data"
            let memory = MemoryFileSystem()
            fileSystem = memory
            try! memory.createFolder(folder)
        }
    }

    deinit {
        if kind != .memory { try? fileSystem.removeTree(folder) }
    }

    /// Locks and handles go as with the end of a process; the files stay.
    func endProcess() {
        if let pageIn = kind.pageIn {
            fileSystem = LinuxFileSystem(pageIn: pageIn)
        } else {
            (fileSystem as! MemoryFileSystem).endProcess()
        }
    }

    func path(_ name: String) -> String { folder + "/" + name }
}

/// Bytes that differ from place to place.
func pattern(_ count: Int, seed: UInt64) -> Bytes {
    var random = SeededRandom(seed: seed)
    return Bytes((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
}

let testIdentity = SliceIdentity(clusterID: 0xC1A5_7E12, shard: 2)

/// All files below a folder; an empty folder counts as one.
func allFiles(_ fileSystem: any StorageFileSystem, _ folder: String) throws -> [String] {
    var result: [String] = []
    for name in try fileSystem.list(folder) {
        let path = folder + "/" + name
        let inside = (try? fileSystem.list(path)) ?? []
        if inside.isEmpty { result.append(path) } else { result += try allFiles(fileSystem, path) }
    }
    return result
}
