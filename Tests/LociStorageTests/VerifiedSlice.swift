import LociBase

@testable import LociStorage

/// A slice in memory that was checkpointed and stopped in order, for damaging it.
final class VerifiedSlice {
    let fileSystem: MemoryFileSystem
    let model: SliceModel
    private let place: PartitionPlace

    /// - Parameter appends: After the last checkpoint.
    init(appends: Int = 6) throws {
        var random = SeededRandom(seed: 21)
        model = SliceModel()
        fileSystem = model.fileSystem
        try model.open()
        for round in 0..<3 {
            let count = round == 2 ? appends : 6
            for _ in 0..<count { try model.append((0..<3).map { _ in Edit(using: &random) }) }
            if round < 2 { try model.checkpoint() }
        }
        model.endProcess()
        place = PartitionPlace(
            Edit.partition, in: SliceModel.folder, fileSystem, testIdentity, SliceModel.tuning)
    }

    func files() throws -> [String] { try allFiles(fileSystem, SliceModel.folder) }

    func verify() throws -> VerifyReport {
        fileSystem.endProcess()
        return try SliceVerifier.verify(SliceModel.folder, fileSystem)
    }

    func flip(_ path: String, _ position: UInt64, _ bit: UInt8) throws {
        let file = try fileSystem.open(path, create: false)
        try file.write(Bytes([try file.read(at: position, count: 1)[0] ^ bit]), at: position)
        try file.sync()
    }

    /// Puts a file's content into another one.
    /// - Parameter shard: Whose file it shall be then, with a header that is right.
    func copy(_ from: String, to: String, shard: ShardIndex?) throws {
        let source = try fileSystem.open(from, create: false)
        let target = try fileSystem.open(to, create: false)
        let size = try source.size()
        let contents = try source.dataRanges(in: 0..<size).map { range in
            (range.lowerBound, try source.read(at: range.lowerBound, count: Int(range.count)))
        }
        try target.resize(to: 0)
        try target.resize(to: size)
        for (offset, bytes) in contents { try target.write(bytes, at: offset) }
        guard let shard else { return }
        let isSegment = from.hasSuffix(".segment")
        let offset = isSegment ? size - SegmentLayout.footerBytes : 0
        let old = HeaderView(try target.read(at: offset, count: FileHeader.byteCount))!
        let header = FileHeader(
            kind: old.kind!, identity: SliceIdentity(clusterID: 5, shard: shard),
            partition: old.partition, number: old.number, proof: old.proof)
        try target.write(header.encoded, at: offset)
    }

    /// Bytes of a file that mean the same.
    struct ByteClass {
        let name: String
        let path: String
        let range: Range<UInt64>
        let kinds: Set<VerifyFinding.Kind>
        /// The page that is lost with them.
        var page: UInt64?

        func explains(_ finding: VerifyFinding) -> Bool {
            guard kinds.contains(finding.kind), path.hasPrefix(finding.path) else { return false }
            return page.map { finding.subject == "page \($0) of space 7" } ?? true
        }
    }

    /// All bytes that files take, but what is behind the batch of a double-write file: it is
    /// of batches before, and nobody reads it.
    func byteClasses() throws -> [ByteClass] {
        var classes: [ByteClass] = []
        let header = UInt64(FileHeader.byteCount)
        for path in try files() {
            let size = try fileSystem.open(path, create: false).size()
            func add(
                _ name: String, _ range: Range<UInt64>, _ kinds: Set<VerifyFinding.Kind>
            ) {
                if !range.isEmpty {
                    classes.append(ByteClass(name: name, path: path, range: range, kinds: kinds))
                }
            }
            if path.hasSuffix("identity") {
                add("identity", 0..<size, [.identity, .foreign])
            } else if path.contains("superblock") {
                add("superblock", 0..<size, [.superblock, .foreign])
            } else if path.contains("state-") {
                add("state header", 0..<header, [.state, .foreign])
                add("state", header..<size, [.state])
            } else if path.contains("double-write") {
                add("double-write", 0..<(header + 12), [.doubleWrite, .foreign])
            } else if path.hasSuffix(".log") {
                add("log header", 0..<header, [.log, .foreign])
                add("log record", header..<size, [.record, .tornTail])
            } else {
                classes += try segmentClasses(path)
            }
        }
        return classes
    }

    private func segmentClasses(_ path: String) throws -> [ByteClass] {
        let number = UInt64(path.split(separator: "/").last!.split(separator: ".")[0])!
        let name = SegmentName(space: 7, number: number, pageBytes: Edit.pageBytes)
        let layout = name.layout
        let segment = try Segment(name, in: place, create: false)!
        var classes = [
            ByteClass(
                name: "segment footer", path: path,
                range: layout.footerOffset..<(layout.footerOffset + 64),
                kinds: [.segment, .foreign]),
            ByteClass(
                name: "behind the footer", path: path,
                range: (layout.footerOffset + 64)..<layout.fileBytes, kinds: [.segment]),
        ]
        for range in try segment.file.dataRanges(in: layout.sumsOffset..<layout.footerOffset) {
            for page in segment.pages(atOffsets: range) {
                let sum = layout.sumOffset(of: page)
                let isWritten = try segment.sum(of: page).isWritten
                // Of the many sums of pages that were never written, some.
                guard isWritten || page % 16 == 9 else { continue }
                classes.append(
                    ByteClass(
                        name: isWritten ? "checksum" : "no checksum", path: path,
                        range: sum..<(sum + UInt64(PageSum.byteCount)), kinds: [.page], page: page))
                if isWritten {
                    let start = layout.offset(of: page)
                    classes.append(
                        ByteClass(
                            name: "page", path: path,
                            range: start..<(start + UInt64(Edit.pageBytes)), kinds: [.page],
                            page: page))
                }
            }
        }
        return classes
    }
}
