import LociBase

/// What one file of a shard holds, whoever it belongs to: for people who look at it.
public struct FileInspection: Sendable {
    /// A field of the header, or a figure of the whole file.
    public struct Fact: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    /// A part of the file: a record, a run of pages, a batch's page.
    public struct Part: Equatable, Sendable {
        public let kind: String
        public let offset: UInt64
        public let bytes: UInt64
        public let what: String
        /// Whether its checksum is right.
        public let isIntact: Bool
    }

    public internal(set) var facts: [Fact] = []
    /// The first ones.
    public internal(set) var parts: [Part] = []
    /// All parts that there are.
    public internal(set) var partCount: UInt64 = 0
    public internal(set) var damagedParts: UInt64 = 0
    let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func state(_ name: String, _ value: some CustomStringConvertible) {
        facts.append(Fact(name: name, value: value.description))
    }

    mutating func add(_ part: Part) {
        partCount += 1
        if !part.isIntact { damagedParts += 1 }
        if parts.count < limit { parts.append(part) }
    }

    /// Looks at a file by what its header, or a segment's footer, says that it is.
    /// - Parameter limit: Parts that are listed; all are counted.
    /// - Throws: `foreign` if it is no file of Loci; what reading it meets.
    public static func inspect(
        _ path: String, _ fileSystem: any StorageFileSystem, limit: Int
    ) throws(StorageError) -> FileInspection {
        let file = try fileSystem.open(path, create: false)
        let size = try file.size()
        var inspection = FileInspection(limit: limit)
        guard let (header, offset) = try header(of: file, size), let kind = header.kind else {
            throw .foreign(path: path, what: "it is no file of a shard, or its header is damaged")
        }
        inspection.state(header, offset, size, try file.allocatedBytes())
        let place = PartitionPlace(
            header.partition, in: "", fileSystem, header.identity, StorageTuning())
        guard header.isIntact else { return inspection }
        switch kind {
        case .identity: inspection.state("incarnation", header.number)
        case .superblock: try inspection.inspectSuperblock(path, place)
        case .state: try inspection.inspectState(file, header, place)
        case .log: try inspection.inspectLog(file, path, place)
        case .doubleWrite: try inspection.inspectDoubleWrite(path, place)
        case .segment: try inspection.inspectSegment(file, header, place)
        case .copy: try inspection.inspectCopy(file, header, size)
        case .extent: inspection.state("number", header.number)
        }
        return inspection
    }

    /// The header at the start, or at the end as segments have it.
    private static func header(
        of file: any StorageFile, _ size: UInt64
    ) throws(StorageError) -> (HeaderView, UInt64)? {
        if let header = try HeaderView(of: file), header.kind != nil { return (header, 0) }
        guard size >= SegmentLayout.footerBytes else { return nil }
        let offset = size - SegmentLayout.footerBytes
        let bytes = try file.read(at: offset, count: FileHeader.byteCount)
        guard let header = HeaderView(bytes), header.kind == .segment else { return nil }
        return (header, offset)
    }

    private mutating func state(
        _ header: HeaderView, _ offset: UInt64, _ size: UInt64, _ allocated: UInt64
    ) {
        state("kind", header.kind!.name)
        state("format", header.format)
        state("cluster", hexadecimal(header.identity.clusterID))
        state("shard", header.identity.shard)
        if header.kind != .identity { state("partition", header.partition) }
        state("header at", offset)
        state("header's checksum", header.isIntact ? "right" : "WRONG")
        state("size", size)
        state("on disk", allocated)
    }
}

extension FileHeader.Kind {
    /// The kind in words.
    var name: String {
        switch self {
        case .identity: "identity"
        case .superblock: "superblock"
        case .state: "state"
        case .log: "log"
        case .doubleWrite: "double-write"
        case .segment: "segment"
        case .extent: "extent"
        case .copy: "copy"
        }
    }
}
