import Foundation
import Glibc

/// An ext4 file system in a file, mounted.
final class LoopDisk {
    private let image: String
    let mountPoint: String

    struct Failed: Error {
        let command: String
    }

    static var isPossible: Bool {
        getuid() == 0 && access("/dev/loop-control", W_OK) == 0
            && access("/usr/sbin/mkfs.ext4", X_OK) == 0
    }

    init(megabytes: Int) throws {
        let folder = Self.newFolder()
        image = folder + "/image"
        mountPoint = folder + "/mounted"
        try Self.run("/usr/bin/truncate", "-s", "\(megabytes)M", image)
        try Self.run("/usr/sbin/mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0", image)
        try mount()
    }

    private init(copying other: LoopDisk) throws {
        let folder = Self.newFolder()
        image = folder + "/image"
        mountPoint = folder + "/mounted"
        try Self.run("/usr/bin/cp", "--sparse=always", other.image, image)
        // No byte changed between the first look and the second: the copy is of one moment.
        try Self.run("/usr/bin/cmp", "-s", other.image, image)
        try mount()
    }

    /// The disk as it is at this moment. The kernel keeps what it has not written yet.
    /// - Throws: If something was written to the disk meanwhile.
    func copy() throws -> LoopDisk { try LoopDisk(copying: self) }

    deinit {
        try? Self.run("/usr/bin/umount", "-l", mountPoint)
        try? FileManager.default.removeItem(atPath: (image as NSString).deletingLastPathComponent)
    }

    private func mount() throws {
        try FileManager.default.createDirectory(
            atPath: mountPoint, withIntermediateDirectories: false)
        try Self.run("/usr/bin/mount", "-o", "loop", image, mountPoint)
    }

    private static func newFolder() -> String {
        var template = Array("/tmp/loci-disk-XXXXXX".utf8CString)
        return String(cString: mkdtemp(&template))
    }

    private static func run(_ program: String, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failed(command: ([program] + arguments).joined(separator: " "))
        }
    }
}
