import CLinux
import Glibc
import LociBase
import Synchronization

/// An io_uring of the kernel. One thread at a time uses it.
@safe final class Ring: @unchecked Sendable {
    /// Reads that are on their way to the device at most; more of a batch wait for room.
    static let depth = 128

    private let ring: OpaquePointer
    private let partBytes: Int
    private var completions = Array(repeating: loci_completion(), count: Ring.depth)

    /// nil where the kernel has none, does not allow it (seccomp, sysctl) or is out of memory.
    /// - Parameter partBytes: Bytes that the device is asked for at once; tests ask for less than
    ///   the whole, and so meet what a short read leaves to be done.
    init?(partBytes: Int = .max) {
        self.partBytes = partBytes
        guard let ring = unsafe loci_ring_open(UInt32(Self.depth)) else { return nil }
        unsafe self.ring = ring
    }

    deinit { unsafe loci_ring_close(ring) }

    /// A read past the page cache, into memory that its owner keeps until the batch is done.
    @safe struct Read {
        let segment: UnmappedSegment
        let direct: LinuxFile
        let offset: UInt64
        let target: UnsafeMutableRawBufferPointer
    }

    /// Does all reads and waits for them. Returns an error or nil for each, in their order.
    func perform(_ reads: [Read]) -> [StorageError?] {
        var batch = RingBatch(
            counts: reads.map { unsafe $0.target.count },
            alignment: UnmappedSegment.alignment)
        while batch.isWaiting || batch.onTheirWay > 0 {
            while batch.onTheirWay < Self.depth, let part = batch.next() { add(part, reads) }
            // With a queue behind it the ring is kept at least three quarters full.
            let least = batch.isWaiting ? Self.depth / 4 : batch.onTheirWay
            let count = unsafe loci_ring_wait(
                ring, UInt32(least), &completions, UInt32(Self.depth))
            // The kernel may write to the pages until it says otherwise: there is no way back.
            precondition(
                count >= 0 || [-EINTR, -EAGAIN, -EBUSY, -ENOMEM].contains(count),
                "io_uring_enter failed with error \(-count)")
            for index in 0..<max(0, Int(count)) {
                batch.complete(Int(completions[index].tag), completions[index].result)
            }
        }
        return zip(reads, batch.outcomes).map { read, outcome in Self.settle(read, outcome!) }
    }

    private func add(_ part: RingBatch.Part, _ reads: [Read]) {
        let read = reads[part.read]
        let added = unsafe loci_ring_read(
            ring, read.direct.descriptor.number, read.target.baseAddress! + part.done,
            min(read.target.count - part.done, partBytes), read.offset + UInt64(part.done),
            UInt64(part.read))
        precondition(added == 0, "the ring has room for all that is on its way")
    }

    private static func settle(_ read: Read, _ outcome: RingBatch.Outcome) -> StorageError? {
        switch outcome {
        case .complete:
            return nil
        case .failed(let number):
            return SystemCall.error("read", read.segment.file.path, number)
        case .continueBuffered(let done):
            do throws(StorageError) {
                unsafe try read.segment.file.read(
                    at: read.offset + UInt64(done),
                    into: UnsafeMutableRawBufferPointer(rebasing: read.target[done...]))
                return nil
            } catch {
                return error
            }
        }
    }
}

/// Rings that no thread uses at the moment: as many as threads read batches at once.
final class RingPool: Sendable {
    private let idle = Mutex<[Ring]>([])

    /// Calls with a ring, or with nil where the kernel gives none.
    func withRing<Result>(_ body: (Ring?) -> Result) -> Result {
        guard let ring = idle.withLock({ $0.popLast() }) ?? Ring() else { return body(nil) }
        defer { idle.withLock { $0.append(ring) } }
        return body(ring)
    }
}
