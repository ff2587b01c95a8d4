import LociBase
import LociModel
import LociText

/// Passages of a folder's text files, or of a single one, in the order of the files' paths.
///
/// A point's id is a hash of the file's absolute path and the passage's line, so importing the
/// same file again replaces what it gave before. Hidden files and folders and symbolic links are
/// left out; binary and oversized files are left out and counted.
struct TextSource: PointSource {
    private struct File {
        /// As users know it, and as it is named in payloads.
        var path: String
        /// As ids are made from it.
        var canonicalPath: String
    }

    private let files: [File]
    private let splitter = PassageSplitter()
    private var nextFile = 0
    private var passages: ArraySlice<Passage> = []
    private var canonicalPath = ""
    private var row: UInt64 = 0
    private var skipped = Skipped()
    private(set) var bytes: UInt64 = 0

    private struct Skipped {
        var oversized = 0
        var binary = 0
        var unreadable = 0
        var links = 0
    }

    /// A folder, with all folders in it.
    init(folder: String, skippingRows: UInt64) throws(LociError) {
        var path = folder
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        while path.hasPrefix("./"), path.count > 2 { path.removeFirst(2) }
        let canonical = try FileSystem.canonical(folder)
        var found: [File] = []
        var skipped = Skipped()
        var size: UInt64 = 0
        try Self.collect(
            path, canonical, 0, into: &found, skipped: &skipped, bytes: &size)
        files = found
        self.skipped = skipped
        bytes = size
        try skip(skippingRows)
    }

    /// A single file; what is wrong with it is an error, not a notice.
    init(file path: String, skippingRows: UInt64) throws(LociError) {
        bytes = try FileSystem.entry(path).bytes
        let canonical = try FileSystem.canonical(path)
        files = [File(path: path, canonicalPath: canonical)]
        guard let text = try Self.readText(path) else {
            throw LociError(
                .invalidArgument, "'\(path)' is not text, or larger than 16 MiB.",
                advice: "Split it, or convert it to text.")
        }
        passages = splitter.split(text, path: path)[...]
        canonicalPath = canonical
        nextFile = 1
        try skip(skippingRows)
    }

    var notices: [String] {
        [
            (skipped.oversized, "larger than 16 MiB"), (skipped.binary, "not text"),
            (skipped.unreadable, "not readable"), (skipped.links, "links or devices"),
        ].filter { $0.0 > 0 }.map { count, reason in
            "Left out \(count) \(count == 1 ? "file" : "files"): \(reason)."
        }
    }

    mutating func next(_ limit: Int) throws(LociError) -> PointBatch? {
        precondition(limit > 0, "a batch has at least one point")
        var batch = PointBatch(firstRow: row)
        var bytes = 0
        while batch.count < limit, bytes < ImportLimits.batchBytes, let passage = nextPassage() {
            let payload = """
                {"path":\(quotedJSON(passage.path)),"line":\(passage.line),\
                "text":\(quotedJSON(passage.text))}
                """
            bytes += passage.text.utf8.count + payload.utf8.count
            batch.ids.append(Self.id(path: canonicalPath, line: passage.line))
            batch.texts.append(passage.text)
            batch.payloads.append(payload)
        }
        row += UInt64(batch.count)
        return batch.count > 0 ? batch : nil
    }

    private static func id(path: String, line: Int) -> UInt64 {
        Bytes(utf8: "\(path)\n\(line)").checksum()
    }

    private mutating func skip(_ count: UInt64) throws(LociError) {
        while row < count, nextPassage() != nil { row += 1 }
    }

    private mutating func nextPassage() -> Passage? {
        while passages.isEmpty {
            guard nextFile < files.count else { return nil }
            let file = files[nextFile]
            nextFile += 1
            do throws(LociError) {
                if let text = try Self.readText(file.path) {
                    passages = splitter.split(text, path: file.path)[...]
                    canonicalPath = file.canonicalPath
                } else {
                    skipped.binary += 1
                }
            } catch {
                skipped.unreadable += 1
            }
        }
        return passages.removeFirst()
    }

    /// Nil when the file is binary or too large.
    private static func readText(_ path: String) throws(LociError) -> String? {
        let bytes = try InputFile(path: path).read(Int(ImportLimits.textFileBytes) + 1)
        guard bytes.count <= ImportLimits.textFileBytes else { return nil }
        let probe = bytes.slice(0..<min(bytes.count, ImportLimits.binaryProbeBytes))
        return probe.array.contains(0) ? nil : bytes.string
    }

    private static func collect(
        _ path: String, _ canonical: String, _ depth: Int, into files: inout [File],
        skipped: inout Skipped, bytes: inout UInt64
    ) throws(LociError) {
        guard depth <= ImportLimits.folderDepth, files.count <= ImportLimits.folderFiles else {
            throw LociError(
                .resourceExhausted, "'\(path)' holds too many files or folders within folders.",
                advice: "Import its parts one by one.")
        }
        for entry in try FileSystem.list(path) where !entry.name.hasPrefix(".") {
            let child = path.hasSuffix("/") ? path + entry.name : "\(path)/\(entry.name)"
            let canonicalChild = "\(canonical)/\(entry.name)"
            switch entry.kind {
            case .folder:
                try collect(
                    child, canonicalChild, depth + 1, into: &files, skipped: &skipped,
                    bytes: &bytes)
            case .file where entry.bytes > ImportLimits.textFileBytes: skipped.oversized += 1
            case .file:
                bytes += entry.bytes
                files.append(File(path: child, canonicalPath: canonicalChild))
            case .other: skipped.links += 1
            }
        }
    }
}
