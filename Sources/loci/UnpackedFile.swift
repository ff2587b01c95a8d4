import Foundation
import LociClient

/// A file's content in chunks, unpacked by the program that its ending names: `.xz` or `.gz`.
struct UnpackedFile {
    private static let chunkBytes = 1 << 20

    let path: String

    func read(_ body: (Data) throws -> Void) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw LociError(.notFound, "\(path) cannot be read.", advice: "")
        }
        if path.hasSuffix(".xz") {
            try unpack(file, with: "xz", from: "xz-utils", body)
        } else if path.hasSuffix(".gz") {
            try unpack(file, with: "gzip", from: "gzip", body)
        } else {
            try Self.chunks(of: file, body)
        }
    }

    private func unpack(
        _ file: FileHandle, with name: String, from package: String, _ body: (Data) throws -> Void
    ) throws {
        let folders = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let candidates = folders.split(separator: ":").map { "\($0)/\(name)" }
        guard let program = candidates.first(where: FileManager.default.isExecutableFile) else {
            throw LociError(
                .failedPrecondition, "\(path) is compressed, and there is no program \(name).",
                advice: "Install \(package), or unpack the file where it is there.")
        }
        let child = Process()
        let pipe = Pipe()
        child.executableURL = URL(fileURLWithPath: program)
        child.arguments = ["-dc"]
        child.standardInput = file
        child.standardOutput = pipe
        try child.run()
        defer {
            // Without a reader the child ends by itself.
            try? pipe.fileHandleForReading.close()
            child.waitUntilExit()
        }
        try Self.chunks(of: pipe.fileHandleForReading, body)
        child.waitUntilExit()
        guard child.terminationStatus == 0 else {
            throw LociError(
                .dataLoss, "\(name) could not unpack \(path).",
                advice: "`\(name) -t` says what is wrong.")
        }
    }

    private static func chunks(of file: FileHandle, _ body: (Data) throws -> Void) throws {
        while let chunk = try file.read(upToCount: chunkBytes), !chunk.isEmpty { try body(chunk) }
    }
}
