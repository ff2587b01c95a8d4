import Foundation
import LociClient
import LociTiering

/// A recorded stream of requests: 64-bit keys, little-endian, one after the other, in a file that
/// ends in `.u64`, or compressed in one that ends in `.u64.xz`.
struct TraceFile {
    private static let mostRequests = 1 << 28
    private static let chunkBytes = 1 << 20

    let path: String

    /// The file's name without its endings.
    var name: String {
        String(URL(fileURLWithPath: path).lastPathComponent.prefix { $0 != "." })
    }

    static func isTrace(_ path: String) -> Bool {
        path.hasSuffix(".u64") || path.hasSuffix(".u64.xz")
    }

    /// Where traces lie when none is named: `traces` in the folder of test data.
    static var folder: String {
        (ProcessInfo.processInfo.environment["LOCI_DATA"] ?? "../shared/data") + "/traces"
    }

    /// Those of the folder, by name; none if there is no such folder.
    static func all() -> [TraceFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter(isTrace).sorted().map { TraceFile(path: "\(folder)/\($0)") }
    }

    func read() throws -> AccessTrace {
        guard Self.isTrace(path) else {
            throw LociError(
                .invalidArgument, "\(path) is no trace.",
                advice: "Traces are 64-bit little-endian keys and end in .u64 or .u64.xz.")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw LociError(.notFound, "\(path) cannot be read.", advice: "")
        }
        let keys =
            path.hasSuffix(".xz") ? try unpack(file) : try Self.keys(from: file, named: path)
        guard !keys.isEmpty else {
            throw LociError(.invalidArgument, "\(path) is empty.", advice: "")
        }
        return AccessTrace(keys: keys)
    }

    /// The keys of a compressed file, through a child process.
    private func unpack(_ file: FileHandle) throws -> [UInt64] {
        let folders = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let programs = folders.split(separator: ":").map { "\($0)/xz" }
        guard let xz = programs.first(where: FileManager.default.isExecutableFile) else {
            throw LociError(
                .failedPrecondition, "\(path) is compressed, and there is no program xz.",
                advice: "Install xz-utils, or unpack the trace where it is there.")
        }
        let child = Process()
        let pipe = Pipe()
        child.executableURL = URL(fileURLWithPath: xz)
        child.arguments = ["-dc"]
        child.standardInput = file
        child.standardOutput = pipe
        try child.run()
        defer {
            // Without a reader the child ends by itself.
            try? pipe.fileHandleForReading.close()
            child.waitUntilExit()
        }
        let keys = try Self.keys(from: pipe.fileHandleForReading, named: path)
        child.waitUntilExit()
        guard child.terminationStatus == 0 else {
            throw LociError(
                .dataLoss, "xz could not unpack \(path).", advice: "`xz -t` says what is wrong.")
        }
        return keys
    }

    private static func keys(from file: FileHandle, named path: String) throws -> [UInt64] {
        var keys: [UInt64] = []
        var key: UInt64 = 0
        var byteCount = 0
        while let chunk = try file.read(upToCount: chunkBytes), !chunk.isEmpty {
            for byte in chunk {
                key = key >> 8 | UInt64(byte) << 56
                byteCount += 1
                if byteCount % 8 == 0 { keys.append(key) }
            }
            guard keys.count <= mostRequests else {
                throw LociError(
                    .resourceExhausted, "\(path) has more than \(mostRequests) requests.",
                    advice: "Take a part of it.")
            }
        }
        guard byteCount % 8 == 0 else {
            throw LociError(
                .invalidArgument, "\(path) ends within a key: \(byteCount) bytes.", advice: "")
        }
        return keys
    }
}
