public import LociBase
public import LociModel
public import LociStorage
public import LociTiering

/// A field of one partition in this very process, without a cluster: for programs that embed the
/// storage, and for measuring it. One thread at a time may use it.
///
/// Reads go through the same page table, arena and segments as a shard's; a page that is not in
/// memory is waited for. Writes are logged, and durable when `commit` returns.
public final class LocalField {
    public let cellBytes: Int
    public let pageBytes: Int
    public let cellCount: UInt64
    private let store: SliceStore
    private let arena: PageArena
    private var table: PageTable
    private let cellsPerPage: UInt64
    private let pageReads: ParallelReads
    private var pending: [Bytes] = []
    private var end: LSN
    private static let space: SpaceID = 1

    /// Opens a field, or makes it if the folder is empty. The shape must be the same every time.
    /// - Parameters:
    ///   - dramBytes: Budget of the pages in memory.
    ///   - pageIn: How pages are read from segments.
    ///   - ioThreads: Page-ins of one call that are under way at once.
    /// - Throws: What opening the folder meets.
    public init(
        folder: String, cellBytes: Int, cellCount: UInt64, dramBytes: Int,
        pageBytes: Int = Layout.defaultPageBytes, eviction: EvictionKind = .standard,
        pageIn: PageInKind = .direct, ioThreads: Int = 16, writeBufferBytes: Int = 64 << 20
    ) throws(LociError) {
        precondition(cellBytes > 0 && cellBytes <= pageBytes && ioThreads > 0)
        pageReads = ParallelReads(threads: ioThreads, label: "loci.local-field")
        self.cellBytes = cellBytes
        self.cellCount = cellCount
        self.pageBytes = pageBytes
        cellsPerPage = UInt64(pageBytes / cellBytes)
        let dram = MemoryTier.dram(budgetBytes: dramBytes, eviction: eviction)
        arena = dram.arena
        table = PageTable(dram: dram)
        do throws(StorageError) {
            store = try SliceStore.open(
                folder: folder, fileSystem: LinuxFileSystem(pageIn: pageIn),
                identity: SliceIdentity(clusterID: 0x10CA1, shard: 0), partitions: [0],
                writeBufferBytes: writeBufferBytes)
            let recovered = try store.recover(0)
            end = recovered.end
            for record in recovered.records {
                let cell = record.payload.load(UInt64.self, at: 0)
                let place = Self.place(of: cell, cellsPerPage, cellBytes)
                try store.write(
                    record.payload.slice(8..<record.payload.count), at: place.offset,
                    of: place.address, pageBytes: pageBytes)
            }
        } catch {
            throw error.sentence
        }
    }

    /// Cells read, and those of them whose pages were in memory.
    public private(set) var reads: (cells: UInt64, hits: UInt64) = (0, 0)
    public var dramVitals: MemoryVitals { table.dramVitals }
    public var counts: StorageCounts { store.counts }

    private static func place(
        of cell: UInt64, _ cellsPerPage: UInt64, _ cellBytes: Int
    ) -> (address: PageAddress, offset: Int) {
        let (page, within) = cell.quotientAndRemainder(dividingBy: cellsPerPage)
        return (
            PageAddress(space: space, partition: 0, page: page), Int(within) * cellBytes
        )
    }

    private func place(of cell: UInt64) -> (address: PageAddress, offset: Int) {
        precondition(cell < cellCount, "the cell lies in the field")
        return Self.place(of: cell, cellsPerPage, cellBytes)
    }

    // MARK: Reading

    /// Copies a cell to the start of `target`, which has room for it.
    /// - Throws: DATA_LOSS if its page is damaged, or what reading meets.
    public func read(
        _ cell: UInt64, into target: UnsafeMutableRawBufferPointer
    ) throws(LociError) {
        let (address, offset) = place(of: cell)
        reads.cells += 1
        if unsafe copy(address, offset, target) {
            reads.hits += 1
            return
        }
        try load([address])
        guard unsafe copy(address, offset, target) else {
            throw Self.noRoom(pageBytes)
        }
    }

    /// Copies cells, one behind the other, to `target`. All missing pages are read together.
    /// - Throws: As `read`; RESOURCE_EXHAUSTED if the pages take more than the budget.
    public func read(
        _ cells: [UInt64], into target: UnsafeMutableRawBufferPointer
    ) throws(LociError) {
        precondition(target.count >= cells.count * cellBytes)
        var missing: [(index: Int, address: PageAddress, offset: Int)] = []
        for (index, cell) in cells.enumerated() {
            let (address, offset) = place(of: cell)
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: target[(index * cellBytes)...])
            if unsafe !copy(address, offset, part) { missing.append((index, address, offset)) }
        }
        reads.cells += UInt64(cells.count)
        reads.hits += UInt64(cells.count - missing.count)
        // As many at once as fit into a quarter of the budget, so that none leaves unread.
        let most = max(1, table.budgetBytes / 4 / pageBytes)
        while !missing.isEmpty {
            var addresses: Set<PageAddress> = []
            var taken = 0
            while taken < missing.count, addresses.count < most {
                addresses.insert(missing[taken].address)
                taken += 1
            }
            try load(addresses.sorted())
            for (index, address, offset) in missing[..<taken] {
                let part = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: target[(index * cellBytes)...])
                guard unsafe copy(address, offset, part) else { throw Self.noRoom(pageBytes) }
            }
            missing.removeFirst(taken)
        }
    }

    private func copy(
        _ address: PageAddress, _ offset: Int, _ target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let lease = table.lease(address) else { return false }
        lease.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { source in
                unsafe target.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[offset..<(offset + cellBytes)]))
            }
        }
        return true
    }

    private func load(_ addresses: [PageAddress]) throws(LociError) {
        let needs = addresses.map { PageNeed(address: $0, pageBytes: pageBytes) }
        guard case .admitted(let round) = table.request(needs, for: 0) else {
            throw Self.noRoom(needs.count * pageBytes)
        }
        let requests = round.loads.map {
            PageRequest(address: $0.address, pageBytes: $0.pageBytes)
        }
        var failure: LociError?
        for (request, answer) in zip(
            requests, pageReads.read(requests, from: store, into: arena))
        {
            switch answer {
            case .loaded(let bytes, _): _ = table.arrived(request.address, bytes)
            case .failed(let error):
                _ = table.failed(request.address)
                failure = error.sentence
            case .skipped: preconditionFailure("no tier is slower than the slowest")
            }
        }
        if let failure { throw failure }
    }

    private static func noRoom(_ bytes: Int) -> LociError {
        LociError(
            .resourceExhausted, "\(bytes) bytes of pages do not fit into the budget.",
            advice: "Raise the budget, or ask for fewer cells at once.")
    }

    // MARK: Writing

    /// Gives a cell new bytes; they are read back, and durable, once `commit` has returned.
    public func write(_ bytes: Bytes, to cell: UInt64) {
        precondition(bytes.count == cellBytes && cell < cellCount)
        pending.append(Bytes.joined([Bytes(values: [cell]), bytes]))
    }

    /// Makes all writes since the last commit durable, with one sync.
    public func commit() throws(LociError) {
        do throws(StorageError) {
            end = try store.append(pending, to: 0)
            for record in pending {
                let place = place(of: record.load(UInt64.self, at: 0))
                let bytes = record.slice(8..<record.count)
                table.patch(place.address, at: place.offset, with: bytes)
                try store.write(
                    bytes, at: place.offset, of: place.address, pageBytes: pageBytes)
            }
            pending = []
            if store.writeBufferBytes > store.writeBufferLimit { try store.flush(0) }
        } catch {
            throw error.sentence
        }
    }

    /// Flushes all, and lets go of the log.
    public func checkpoint() throws(LociError) {
        do throws(StorageError) {
            _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        } catch {
            throw error.sentence
        }
    }
}
