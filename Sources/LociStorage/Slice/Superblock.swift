import LociBase

/// Where recovery of a partition starts.
struct Superblock: Equatable, Sendable {
    var generation: UInt64
    /// Records before it are in the state file and in the pages.
    var lsn: LSN
    var hasState: Bool
    /// Of the last batch of pages that was written to their places.
    var sequence: UInt64
}

/// The two copies of a partition's superblock.
///
/// Invariants:
/// - A copy is rewritten in place only while the other is durable and valid, so that one survives a
///   loss of power at any instant.
/// - Both hold the newest generation, except between the two writes: a copy damaged later does no
///   harm.
struct SuperblockPair: Sendable {
    private let place: PartitionPlace
    private(set) var current: Superblock
    /// Copies that hold a valid superblock.
    private var valid: Set<String>

    static let copies = ["superblock-a", "superblock-b"]

    /// The first superblock of a new partition.
    init(creatingIn place: PartitionPlace, at lsn: LSN) throws(StorageError) {
        self.place = place
        current = Superblock(generation: 0, lsn: lsn, hasState: false, sequence: 0)
        valid = []
        try write(current)
        try place.fileSystem.syncFolder(place.folder)
    }

    /// - Returns: nil if no copy is valid.
    /// - Throws: What reading them meets, and `foreign`; damage shows as a copy that is not valid.
    init?(readingFrom place: PartitionPlace) throws(StorageError) {
        var found: [String: Superblock] = [:]
        for copy in Self.copies where place.fileSystem.exists(place.folder + "/" + copy) {
            do {
                found[copy] = try Self.read(place.folder + "/" + copy, place)
            } catch .corrupt {
                continue
            }
        }
        guard let newest = found.values.max(by: { $0.generation < $1.generation }) else {
            return nil
        }
        self.place = place
        current = newest
        valid = Set(found.filter { $0.value == newest }.keys)
    }

    /// Makes durable what was read, since the process that wrote it may have ended before its sync
    /// or with a failed one, and brings a copy that is missing, older or damaged up to the other
    /// one.
    mutating func repair() throws(StorageError) {
        for copy in Self.copies.sorted(by: { valid.contains($0) && !valid.contains($1) }) {
            try write(current, to: copy)
        }
        try place.fileSystem.syncFolder(place.folder)
    }

    /// Writes the copies that an interrupted `advance` left behind.
    mutating func complete() throws(StorageError) {
        for copy in Self.copies where !valid.contains(copy) { try write(current, to: copy) }
    }

    /// Durable on return, in both copies. After an error it may have become durable in one, and
    /// then it is the current one.
    mutating func advance(to lsn: LSN, sequence: UInt64) throws(StorageError) {
        try write(
            Superblock(
                generation: current.generation + 1, lsn: lsn, hasState: true, sequence: sequence))
    }

    private mutating func write(_ superblock: Superblock) throws(StorageError) {
        let worstFirst = Self.copies.sorted { !valid.contains($0) && valid.contains($1) }
        for copy in worstFirst {
            try write(superblock, to: copy)
            current = superblock
        }
    }

    private mutating func write(_ superblock: Superblock, to copy: String) throws(StorageError) {
        valid.remove(copy)
        var payload = ByteWriter()
        payload.write(superblock.lsn)
        payload.write(superblock.hasState)
        payload.write(superblock.sequence)
        let header = place.header(
            .superblock, number: superblock.generation, proof: payload.finished.checksum())
        let file = try place.fileSystem.open(place.folder + "/" + copy, create: true)
        try file.write(Bytes.joined([header, payload.finished]), at: 0)
        try file.sync()
        valid.insert(copy)
    }

    static func read(
        _ path: String, _ place: PartitionPlace
    ) throws(StorageError) -> Superblock {
        let bytes = try place.readAll(path)
        let header = try place.header(of: bytes, path, .superblock)
        let payload = bytes.slice(FileHeader.byteCount..<bytes.count)
        guard payload.count == 17, payload.checksum() == header.proof else {
            throw .corrupt(path: path, what: "its checksum is wrong")
        }
        return Superblock(
            generation: header.number, lsn: payload.load(at: 0), hasState: payload[8] != 0,
            sequence: payload.load(at: 9))
    }
}
