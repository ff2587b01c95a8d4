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
    /// Vectors before this one are in the counters, or in the task or record on its way there.
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
/// - `scan` is about the next vector of the first.
struct MemoryWrites: Sendable {
    private(set) var waiting: [MemoryWrite] = []
    private var waitingBytes = 0
    /// Whether a task or its record is on its way.
    var isBusy = false
    /// Whether tasks are being begun: one that fails at once is followed by the next in a loop.
    var isBeginning = false
    private var scan: ActivationScan?
    /// Of this turn, whatever tasks it is spent on.
    private var wordsLeft = wordsPerTurn

    /// Words of addresses that are compared in one turn: a few milliseconds.
    private static let wordsPerTurn = 1 << 22

    /// How far gathering a task has come.
    enum Gathering {
        /// It goes on in the next turn.
        case paused
        case complete
        /// A write that waited does no more. What was gathered of it stays in the task.
        case refused(Asker, LociError)
    }

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
        scan = nil
        return first
    }

    /// Adds to a task, in their order, as many vectors as one record can be about: of one memory,
    /// as long as their pages are no more than so many bytes; at least one.
    mutating func gather(
        into task: inout MemoryWriteTask, most byteCount: Int, at now: Instant
    ) -> Gathering {
        while let write = waiting.first, write.memory == task.memory,
            task.vectors < task.memory.vectorsPerRequest
        {
            if write.done == 0, scan == nil, write.asker.expires <= now {
                return .refused(removeFirst().asker, PageTask.expired)
            }
            var scan = scan ?? task.scan(of: write.addresses[write.done])
            scan.advance(words: &wordsLeft, most: task.mostUses)
            self.scan = scan
            if scan.active.count > task.mostUses {
                return .refused(removeFirst().asker, task.memory.tooActive(task.mostUses))
            }
            guard scan.isDone else {
                wordsLeft = Self.wordsPerTurn
                return .paused
            }
            guard task.take(write.data[write.done], at: scan.active, most: byteCount) else {
                return .complete
            }
            self.scan = nil
            waiting[0].done += 1
            if waiting[0].done == write.addresses.count {
                task.askers.append(removeFirst().asker)
            }
        }
        return .complete
    }
}

/// Vectors that are added to counters in one go: they are gathered, in turns; the pages are brought
/// into memory; the counters are worked out, and one record makes them durable.
///
/// Invariants:
/// - No more than `mostUses` hard locations are used, counted for each vector: so the record stays
///   below the most that a log takes, and working it out is a matter of milliseconds.
struct MemoryWriteTask: Sendable {
    let memory: MemoryDefinition
    let partition: PartitionIndex
    /// Requests whose last vector is among these.
    var askers: [Asker] = []
    private let partitions: Int
    private let geometry: FieldGeometry
    private var patterns: [BinaryVector] = []
    /// Hard locations, and which of `patterns` each gets.
    private var uses: [(cell: CellIndex, pattern: Int32)] = []
    private var addresses: Set<PageAddress> = []
    /// Vectors that were taken, also those that activate nothing here.
    private(set) var vectors = 0
    var hasAsked = false

    init(_ memory: MemoryDefinition, _ partition: PartitionIndex, partitions: Int) {
        self.memory = memory
        self.partition = partition
        self.partitions = partitions
        geometry = FieldGeometry(memory, partitions: partitions)
    }

    var isEmpty: Bool { uses.isEmpty }

    var mostUses: Int { MemoryDefinition.recordBytes / memory.recordBytesOfLocation }

    func scan(of address: BinaryVector) -> ActivationScan {
        ActivationScan(memory, of: address, partition: partition, of: partitions)
    }

    /// False, and nothing is taken, if it would need too many pages or counters beside what was
    /// taken.
    /// - Precondition: `active`, ascending, are no more than `mostUses`.
    mutating func take(
        _ pattern: BinaryVector, at active: [CellIndex], most byteCount: Int
    ) -> Bool {
        precondition(active.count <= mostUses)
        guard uses.count + active.count <= mostUses else { return false }
        var new: [PageAddress] = []
        var last: PageAddress?
        for cell in active {
            let address = geometry.place(of: cell).address
            if address != last, addresses.insert(address).inserted { new.append(address) }
            last = address
        }
        guard uses.isEmpty || addresses.count * geometry.pageBytes <= byteCount else {
            for address in new { addresses.remove(address) }
            return false
        }
        vectors += 1
        if active.isEmpty { return true }
        for cell in active { uses.append((cell, Int32(patterns.count))) }
        patterns.append(pattern)
        return true
    }

    var needs: [PageNeed] {
        addresses.sorted().map { PageNeed(address: $0, pageBytes: geometry.pageBytes) }
    }

    /// The counters as they will be, given all pages as they are.
    func record(_ held: [PageAddress: Bytes]) -> LogRecord {
        // The patterns of one location stay in their order: near its ends a counter depends on it.
        let uses = uses.sorted { ($0.cell, $0.pattern) < ($1.cell, $1.pattern) }
        var cells: [CellIndex] = []
        var bytes: [Bytes] = []
        var first = 0
        while first < uses.count {
            let cell = uses[first].cell
            let end = uses[first...].firstIndex { $0.cell != cell } ?? uses.count
            let place = geometry.place(of: cell)
            let counters = held[place.address]!.slice(
                place.offset..<(place.offset + geometry.cellBytes))
            let own = uses[first..<end].map { patterns[Int($0.pattern)] }
            cells.append(cell)
            bytes.append(KanervaCounters.adding(own, to: counters))
            first = end
        }
        return .cells(space: memory.space, cells: cells, bytes: Bytes.joined(bytes))
    }
}
