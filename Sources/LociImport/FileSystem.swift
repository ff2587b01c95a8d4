import Glibc
import LociBase
import LociModel

/// What the readers ask of folders and names, as values and errors with sentences.
enum FileSystem {
    enum Kind { case file, folder, other }

    struct Entry {
        var name: String
        var kind: Kind
        var bytes: UInt64
    }

    /// What a path leads to; symbolic links are followed.
    static func entry(_ path: String) throws(LociError) -> Entry {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw error(path, errno) }
        return Entry(name: path, kind: kind(status.st_mode), bytes: UInt64(max(status.st_size, 0)))
    }

    /// What lies in a folder, sorted by name in the order of bytes. Symbolic links count as other.
    static func list(_ folder: String) throws(LociError) -> [Entry] {
        guard let handle = unsafe opendir(folder) else { throw error(folder, errno) }
        defer { _ = unsafe closedir(handle) }
        var entries: [Entry] = []
        while let record = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &record.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name == "." || name == ".." { continue }
            var status = stat()
            guard unsafe lstat(folder + "/" + name, &status) == 0 else { continue }
            entries.append(
                Entry(
                    name: name, kind: kind(status.st_mode),
                    bytes: UInt64(max(status.st_size, 0))))
        }
        return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// The one absolute name of a path, without links and dots.
    static func canonical(_ path: String) throws(LociError) -> String {
        guard let name = unsafe realpath(path, nil) else { throw error(path, errno) }
        defer { unsafe free(name) }
        return unsafe String(cString: name)
    }

    static func size(of descriptor: Int32, path: String) throws(LociError) -> UInt64 {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw error(path, errno) }
        guard kind(status.st_mode) == .file else {
            throw LociError(
                .invalidArgument, "'\(path)' is not a plain file.",
                advice: "Give a file, or a folder of text.")
        }
        return UInt64(max(status.st_size, 0))
    }

    static func error(_ path: String, _ code: Int32) -> LociError {
        switch code {
        case ENOENT, ENOTDIR:
            LociError(.notFound, "There is no '\(path)'.", advice: "Check the path.")
        case EACCES, EPERM:
            LociError(
                .failedPrecondition, "'\(path)' may not be read.",
                advice: "Change its permissions, or run as its owner.")
        case EMFILE, ENFILE:
            LociError(
                .resourceExhausted, "Too many files are open to read '\(path)'.",
                advice: "Raise the limit with 'ulimit -n'.")
        case EISDIR:
            LociError(.invalidArgument, "'\(path)' is a folder.", advice: "Give a file.")
        default:
            LociError(.unavailable, "'\(path)' cannot be read (errno \(code)).")
        }
    }

    private static func kind(_ mode: mode_t) -> Kind {
        switch mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        default: .other
        }
    }
}
