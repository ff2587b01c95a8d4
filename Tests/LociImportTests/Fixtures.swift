import Foundation
import LociBase
import LociImport
import LociModel

/// A folder of its own, gone when the value is.
final class Scratch {
    let path: String

    init() {
        path = "\(NSTemporaryDirectory())/loci-import-\(UUID().uuidString)"
        try! FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult func write(_ name: String, _ bytes: [UInt8]) -> String {
        let file = "\(path)/\(name)"
        let folder = (file as NSString).deletingLastPathComponent
        try! FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        precondition(FileManager.default.createFile(atPath: file, contents: Data(bytes)))
        return file
    }

    @discardableResult func write(_ name: String, _ text: String) -> String {
        write(name, Array(text.utf8))
    }

    /// The same file packed by gzip, beside it.
    func packed(_ file: String) -> String {
        let gzip = Process()
        gzip.executableURL = URL(fileURLWithPath: "/bin/sh")
        gzip.arguments = ["-c", "gzip -c \"$0\" > \"$0.gz\"", file]
        try! gzip.run()
        gzip.waitUntilExit()
        return file + ".gz"
    }
}

/// The formats' bytes, written without the code under test.
enum Fixture {
    static let rows = 7
    static let dimension = 5
    /// Small whole numbers, so that every element type holds them exactly.
    static let vectors: [Float] = (0..<(rows * dimension)).map { Float($0 * 3 % 101) }

    static func little(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    static func elements(_ type: String) -> [UInt8] {
        switch type {
        case "f4": vectors.flatMap { little($0.bitPattern) }
        case "f2":
            vectors.flatMap { value in
                let bits = Float16(value).bitPattern
                return [UInt8(bits & 255), UInt8(bits >> 8)]
            }
        default: vectors.map { UInt8($0) }
        }
    }

    static func array(
        _ type: String, shape: String? = nil, isColumnMajor: Bool = false, version: UInt8 = 1
    ) -> [UInt8] {
        let shape = shape ?? "(\(rows), \(dimension))"
        var header =
            "{'descr': '\(type)', 'fortran_order': \(isColumnMajor ? "True" : "False"), "
            + "'shape': \(shape), }"
        let prefix = version == 1 ? 10 : 12
        while (prefix + header.utf8.count + 1) % 64 != 0 { header += " " }
        header += "\n"
        let length = little(UInt32(header.utf8.count)).prefix(version == 1 ? 2 : 4)
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + Array(header.utf8)
            + elements(String(type.suffix(2)))
    }

    static func counted(_ type: String) -> [UInt8] {
        little(UInt32(rows)) + little(UInt32(dimension)) + elements(type)
    }

    static func repeating(_ type: String) -> [UInt8] {
        let all = elements(type)
        let size = all.count / rows
        return (0..<rows).flatMap { row in
            little(UInt32(dimension)) + all[(row * size)..<((row + 1) * size)]
        }
    }

    static func jsonLines() -> String {
        (0..<rows).map { row in
            let values = vectors[(row * dimension)..<((row + 1) * dimension)]
            let list = values.map { String(Int($0)) }.joined(separator: ", ")
            return "{\"id\": \(row), \"vector\": [\(list)], \"payload\": {\"n\": \(row)}}\n"
        }.joined()
    }

    static let files: [(name: String, bytes: [UInt8])] = [
        ("f4.npy", array("<f4")), ("f2.npy", array("<f2")), ("u1.npy", array("|u1")),
        ("v2.npy", array("<f4", version: 2)), ("a.fvecs", repeating("f4")),
        ("a.bvecs", repeating("u1")), ("a.fbin", counted("f4")), ("a.u8bin", counted("u1")),
        ("a.jsonl", Array(jsonLines().utf8)),
    ]
}

/// Everything that a source gives, in one batch.
func readAll(_ path: String, skipping: UInt64 = 0, limit: Int = 3) throws(LociError) -> PointBatch {
    var source = try Import.open(path: path, skippingRows: skipping)
    var all = PointBatch(firstRow: skipping)
    while let batch = try source.next(limit) {
        precondition(batch.count > 0 && batch.count <= limit)
        precondition(batch.firstRow == all.firstRow + UInt64(all.count))
        all.ids += batch.ids
        all.vectors += batch.vectors
        all.texts += batch.texts
        all.payloads += batch.payloads
    }
    return all
}

/// The error's code and text, or nil if there is none.
func failure(_ path: String) -> LociError? {
    do throws(LociError) {
        _ = try readAll(path)
        return nil
    } catch {
        return error
    }
}
