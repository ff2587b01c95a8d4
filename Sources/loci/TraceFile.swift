import Foundation
import LociClient
import LociTiering

/// A recorded stream of requests: 64-bit keys, little-endian, one after the other, in a file that
/// ends in `.u64`, or compressed in one that ends in `.u64.xz` or `.u64.gz`; or the n-grams of a
/// text in a file that ends in `.csv`, or compressed in one that ends in `.csv.xz` or `.csv.gz`.
struct TraceFile {
    static let mostRequests = 1 << 28

    let path: String

    /// The file's name without its endings.
    var name: String {
        String(URL(fileURLWithPath: path).lastPathComponent.prefix { $0 != "." })
    }

    /// Where traces lie when none is named: `traces` in the folder of test data.
    static var folder: String {
        (ProcessInfo.processInfo.environment["LOCI_DATA"] ?? "../shared/data") + "/traces"
    }

    /// Those of the folder, by name; none if there is no such folder.
    static func all() -> [TraceFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let files = names.sorted().map { TraceFile(path: "\(folder)/\($0)") }
        return files.filter { $0.holds("u64") }
    }

    func read() throws -> AccessTrace {
        let keys: [UInt64]
        if holds("u64") {
            keys = try recordedKeys()
        } else if holds("csv") {
            keys = try NGramStream(csv: UnpackedFile(path: path)).keys
        } else {
            throw LociError(
                .invalidArgument, "\(path) is no trace.",
                advice: "Traces are 64-bit little-endian keys in .u64, or texts in .csv; "
                    + "both also as .xz or .gz.")
        }
        guard !keys.isEmpty else {
            throw LociError(.invalidArgument, "\(path) is empty.", advice: "")
        }
        return AccessTrace(keys: keys)
    }

    private func holds(_ kind: String) -> Bool {
        [".\(kind)", ".\(kind).xz", ".\(kind).gz"].contains(where: path.hasSuffix)
    }

    private func recordedKeys() throws -> [UInt64] {
        var keys: [UInt64] = []
        var key: UInt64 = 0
        var byteCount = 0
        try UnpackedFile(path: path).read { chunk in
            for byte in chunk {
                key = key >> 8 | UInt64(byte) << 56
                byteCount += 1
                if byteCount % 8 == 0 { keys.append(key) }
            }
            guard keys.count <= Self.mostRequests else { throw Self.isTooLong(path) }
        }
        guard byteCount % 8 == 0 else {
            throw LociError(
                .invalidArgument, "\(path) ends within a key: \(byteCount) bytes.", advice: "")
        }
        return keys
    }

    static func isTooLong(_ path: String) -> LociError {
        LociError(
            .resourceExhausted, "\(path) has more than \(mostRequests) requests.",
            advice: "Take a part of it.")
    }
}
