import Glibc
public import LociModel

/// Why storage could not do what it was asked to.
public enum StorageError: Error, Equatable, Sendable {
    /// The kernel or the device refused. Where a write or sync was refused, it is final for the
    /// partition: only recovery knows what became durable.
    case io(operation: String, path: String, errno: Int32)
    /// The disk or the quota is full. Nothing that was acknowledged is touched, and the same call
    /// may succeed later.
    case noSpace(path: String)
    /// The bytes in the file are not those that were written.
    case corrupt(path: String, what: String)
    /// A page is not what was written to it last; its neighbours are not affected.
    case damagedPage(PageAddress, path: String, what: String)
    /// The file belongs to another cluster, shard or version of the format.
    case foreign(path: String, what: String)
    /// Another process uses the folder.
    case locked(path: String)
    /// A tier that holds pages is not there: not configured, or its disk is not mounted.
    case missingTier(path: String)
    /// Mapped bytes could not be read: an error of the device, or the file was cut.
    case fault(path: String)

    /// Whether the same call may succeed once there is space. A full disk that shows only in a sync
    /// is `io`, since then it is not known what became durable.
    public var isOutOfSpace: Bool {
        if case .noSpace = self { true } else { false }
    }

    /// Whether the bytes are lost, and not just out of reach.
    var isDamage: Bool {
        switch self {
        case .damagedPage, .corrupt, .foreign: true
        default: false
        }
    }

    /// Whether the device does not give the bytes back.
    var isUnreadable: Bool {
        switch self {
        case .io(let operation, _, _): operation == "pread" || operation == "io_uring"
        case .fault: true
        default: false
        }
    }

    /// The error as people and clients see it.
    public var sentence: LociError {
        switch self {
        case .io(let operation, let path, let number):
            LociError(
                number == EACCES || number == EPERM || number == EROFS
                    ? .failedPrecondition : .unavailable,
                "'\(operation)' failed on \(path): \(Self.text(of: number)).",
                advice: Self.advice(for: number))
        case .noSpace(let path):
            LociError(
                .resourceExhausted, "There is no space left for \(path).",
                advice: "Free some space or drop what is no longer needed; reads go on meanwhile.")
        case .corrupt(let path, let what):
            LociError(
                .dataLoss, "\(path) is damaged: \(what).",
                advice: "Nothing was changed. Restore the data folder from a copy or a snapshot.")
        case .damagedPage(let address, let path, let what):
            LociError(
                .dataLoss,
                "Page \(address.page) of space \(address.space) in partition "
                    + "\(address.partition) is damaged (\(path)): \(what).",
                advice: "Other pages are not affected. Restore it from a snapshot, or write all "
                    + "of it anew.")
        case .foreign(let path, let what):
            LociError(
                .failedPrecondition, "\(path) belongs to something else: \(what).",
                advice: "Start with the folder that belongs to this shard, or with an empty one.")
        case .locked(let path):
            LociError(
                .failedPrecondition, "\(path) is in use by another process.",
                advice: "Stop that process first, or choose another data folder.")
        case .missingTier(let path):
            LociError(
                .failedPrecondition,
                "The slow tier of this shard is not there: \(path) is missing.",
                advice: "Mount its disk, or name its folder under `tiers:` as it was before; pages "
                    + "that were moved there are nowhere else.")
        case .fault(let path):
            LociError(
                .dataLoss, "A page of \(path) cannot be read.",
                advice:
                    "Look for disk errors in the kernel's log; the file may have been cut short.")
        }
    }

    private static func advice(for number: Int32) -> String {
        switch number {
        case EACCES, EPERM, EROFS:
            "Make the folder writable for this user, or choose another one."
        case ENOTDIR, EEXIST, EISDIR:
            "Something else is in the way: move it, or choose another data folder."
        case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)."
        case EBADF, ENOENT: "Was the data folder removed while the shard ran? Restart the shard."
        default: "Look for disk errors in the kernel's log, then restart the shard."
        }
    }

    private static func text(of number: Int32) -> String {
        switch number {
        case EACCES: "permission denied"
        case EPERM: "operation not permitted"
        case EROFS: "read-only file system"
        case EMFILE, ENFILE: "too many open files"
        case ENOENT: "no such file or folder"
        case ENOTDIR: "not a folder"
        case EISDIR: "it is a folder"
        case EIO: "input/output error"
        case ENOSPC: "no space left on device"
        case EDQUOT: "disk quota exceeded"
        case EBADF: "the file is closed"
        case ENOMEM: "out of memory"
        case EFBIG: "the file system does not allow a file of this size"
        default: "error \(number)"
        }
    }
}
