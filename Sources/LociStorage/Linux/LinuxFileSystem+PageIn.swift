public import LociBase

extension LinuxFileSystem {
    /// With a ring all reads of the batch are on their way at once; the other kinds read one after
    /// the other, so that as many threads are needed as reads shall be on their way.
    public func readPaged(
        _ reads: [PagedRead], into memory: any PageMemory
    ) -> [Result<Bytes, StorageError>] {
        guard let rings else { return reads.map { $0.answer(into: memory) } }
        return rings.withRing { ring in
            guard let ring else { return reads.map { $0.answer(into: memory) } }
            return Self.read(reads, into: memory, through: ring)
        }
    }

    private static func read(
        _ reads: [PagedRead], into memory: any PageMemory, through ring: Ring
    ) -> [Result<Bytes, StorageError>] {
        var answers: [Result<Bytes, StorageError>?] = Array(repeating: nil, count: reads.count)
        var direct: [Ring.Read] = []
        var pages: [(index: Int, bytes: Bytes)] = []
        direct.reserveCapacity(reads.count)
        pages.reserveCapacity(reads.count)
        for (index, read) in reads.enumerated() {
            guard let segment = read.file as? UnmappedSegment, let descriptor = segment.direct,
                UnmappedSegment.isAligned(read.offset, read.count)
            else {
                answers[index] = read.answer(into: memory)
                continue
            }
            do throws(StorageError) {
                try segment.checkEnd(read.offset, read.count)
                // The bytes keep the memory that the ring's read points to, until it is done.
                let bytes = unsafe Bytes(filling: memory.allocate(read.count)) { target in
                    unsafe direct.append(
                        Ring.Read(
                            segment: segment, direct: descriptor, offset: read.offset,
                            target: target))
                }
                pages.append((index, bytes))
            } catch {
                answers[index] = .failure(error)
            }
        }
        for (page, error) in zip(pages, ring.perform(direct)) {
            answers[page.index] = error.map { .failure($0) } ?? .success(page.bytes)
        }
        return answers.map { $0! }
    }
}
