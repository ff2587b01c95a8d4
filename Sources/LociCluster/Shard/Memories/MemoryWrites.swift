import LociBase
import LociModel
import LociSearch
import LociTiering

/// What one request writes into the counters of a partition's hard locations.
struct MemoryWrite: Sendable {
    let asker: Asker
    let memory: MemoryDefinition
    let addresses: [BinaryVector]
    let data: [BinaryVector]
    /// Vectors before this one are in the counters, or in the record on its way there.
    var done = 0

    var byteCount: Int { addresses.count * 2 * (memory.vectorBytes + 32) }
}

/// Writes into memories that wait for their turn in a partition.
///
/// Invariants:
/// - A new counter is the old one plus what is written, and the log holds the new one. So that no
///   write is lost, one task at a time reads counters, adds, and logs; the next begins when that
///   record is applied or has failed. Writes that wait meanwhile go together into the next.
/// - Of the first only some vectors may be done; it is answered when all are.
struct MemoryWrites: Sendable {
    private(set) var waiting: [MemoryWrite] = []
    private var waitingBytes = 0
    /// Whether a task or its record is on its way.
    var isBusy = false
    /// Whether tasks are being begun: one that fails at once is followed by the next in a loop.
    var isBeginning = false

    /// Whether one more may wait. A large one may if it waits alone.
    func hasRoom(for write: MemoryWrite) -> Bool {
        waiting.isEmpty
            || waiting.count < Limits.requestsInFlight
                && waitingBytes + write.byteCount <= Limits.waitingMutationBytes
    }

    mutating func append(_ write: MemoryWrite) {
        waiting.append(write)
        waitingBytes += write.byteCount
    }

    @discardableResult
    mutating func removeFirst() -> MemoryWrite {
        let first = waiting.removeFirst()
        waitingBytes -= first.byteCount
        return first
    }

    /// Takes as many vectors, in their order, as one record can be about: of one memory, and as
    /// long as their pages are no more than so many bytes; at least one.
    /// - Precondition: One waits.
    mutating func takeTask(
        _ partition: PartitionIndex, partitions: Int, most byteCount: Int
    ) -> MemoryWriteTask {
        let memory = waiting[0].memory
        var task = MemoryWriteTask(memory, partition, partitions: partitions)
        var vectors = 0
        while let write = waiting.first, write.memory == memory {
            guard vectors < memory.vectorsPerRequest else { return task }
            let active = memory.activeLocations(
                of: write.addresses[write.done], partition: partition, of: partitions)
            guard task.take(write.data[write.done], at: active, most: byteCount) else {
                return task
            }
            vectors += 1
            waiting[0].done += 1
            if waiting[0].done == write.addresses.count {
                task.askers.append(removeFirst().asker)
            }
        }
        return task
    }
}

/// Vectors that are added to counters in one go: the pages are brought into memory, the counters
/// are worked out, and one record makes them durable.
struct MemoryWriteTask: Sendable {
    let memory: MemoryDefinition
    let partition: PartitionIndex
    /// Requests whose last vector is among these.
    var askers: [Asker] = []
    private let geometry: FieldGeometry
    /// What each hard location gets, in order.
    private var patterns: [CellIndex: [BinaryVector]] = [:]
    private var addresses: Set<PageAddress> = []
    var hasAsked = false

    init(_ memory: MemoryDefinition, _ partition: PartitionIndex, partitions: Int) {
        self.memory = memory
        self.partition = partition
        geometry = FieldGeometry(memory, partitions: partitions)
    }

    var isEmpty: Bool { patterns.isEmpty }

    /// False, and nothing is taken, if it would need too many pages beside what was taken.
    mutating func take(
        _ pattern: BinaryVector, at active: [CellIndex], most byteCount: Int
    ) -> Bool {
        let pages = addresses.union(active.map { geometry.place(of: $0).address })
        guard patterns.isEmpty || pages.count * geometry.pageBytes <= byteCount else {
            return false
        }
        addresses = pages
        for cell in active { patterns[cell, default: []].append(pattern) }
        return true
    }

    var needs: [PageNeed] {
        addresses.sorted().map { PageNeed(address: $0, pageBytes: geometry.pageBytes) }
    }

    /// The counters as they will be, given all pages as they are.
    func record(_ held: [PageAddress: Bytes]) -> LogRecord {
        let cells = patterns.keys.sorted()
        let bytes = cells.map { cell in
            let place = geometry.place(of: cell)
            let counters = held[place.address]!.slice(
                place.offset..<(place.offset + geometry.cellBytes))
            return KanervaCounters.adding(patterns[cell]!, to: counters)
        }
        return .cells(space: memory.space, cells: cells, bytes: Bytes.joined(bytes))
    }
}
