import LociBase
import LociModel
import LociSearch
import LociTiering

/// Sums of the counters that addresses activate on this shard. First it looks for these, in turns;
/// then it adds page by page in rounds, each page once for all addresses. Writes that come between
/// two rounds may be seen in part.
///
/// Invariants:
/// - `uses` are ordered by partition, and within one by location, so by page.
/// - Of `uses`, those before `done` have been added, those up to `asked` are next.
struct MemoryReadTask: Sendable {
    let asker: Asker
    let memory: MemoryDefinition
    private let addresses: [BinaryVector]
    private let home: [PartitionIndex]
    private let geometry: FieldGeometry
    private let partitionsOfCluster: Int
    private var uses: [Use] = []
    private var done = 0
    private var asked = 0
    private(set) var sums: [KanervaSums]
    /// The partition of `home`, and the vector, that is looked at next.
    private var partition = 0
    private var vector = 0
    private var scan: ActivationScan?
    private var usesOfPartitionsBefore = 0

    /// A hard location, for one of the addresses; in the order of the locations.
    private struct Use: Comparable {
        private let bits: UInt64

        init(_ location: CellIndex, of vector: Int) {
            bits = location << 16 | UInt64(UInt16(vector))
        }

        var location: CellIndex { bits >> 16 }
        var vector: Int { Int(bits & 0xFFFF) }

        static func < (left: Use, right: Use) -> Bool { left.bits < right.bits }
    }

    /// Hard locations that one request may activate on a shard, over all its addresses: more take
    /// too much memory, and are no sparse addresses.
    static let mostUses = 1 << 20
    /// Words of addresses that are compared in one turn: a few milliseconds.
    private static let wordsPerTurn = 1 << 22
    /// Counters that are added in one turn: a few milliseconds.
    private static let countersPerTurn = 1 << 25

    init(
        _ memory: MemoryDefinition, _ addresses: [BinaryVector], in home: [PartitionIndex],
        partitions: Int, asker: Asker
    ) {
        self.asker = asker
        self.memory = memory
        self.addresses = addresses
        self.home = home
        partitionsOfCluster = partitions
        geometry = FieldGeometry(memory, partitions: partitions)
        sums = addresses.map { _ in KanervaSums(bits: memory.bits) }
    }

    /// Of this shard.
    var partitions: Int { home.count }

    // MARK: Which counters

    var isLooking: Bool { partition < home.count && vector < addresses.count }

    /// Looks for active locations for one turn.
    /// - Throws: RESOURCE_EXHAUSTED if too many are.
    mutating func look() throws(LociError) {
        var words = Self.wordsPerTurn
        while isLooking, words > 0 {
            var scan =
                scan
                ?? ActivationScan(
                    memory, of: addresses[vector], partition: home[partition],
                    of: partitionsOfCluster)
            scan.advance(words: &words, most: Self.mostUses - uses.count)
            guard uses.count + scan.active.count <= Self.mostUses else {
                throw LociError(
                    .resourceExhausted,
                    "\(addresses.count) addresses activate more than \(Self.mostUses) hard "
                        + "locations of one shard.",
                    advice: "Read fewer at once, or create a memory with a smaller radius.")
            }
            guard scan.isDone else {
                self.scan = scan
                return
            }
            self.scan = nil
            for location in scan.active { uses.append(Use(location, of: vector)) }
            vector += 1
            if vector == addresses.count { endPartition() }
        }
    }

    private mutating func endPartition() {
        uses[usesOfPartitionsBefore...].sort()
        usesOfPartitionsBefore = uses.count
        vector = 0
        partition += 1
    }

    // MARK: Adding

    var isDone: Bool { !isLooking && done == uses.count }

    /// The next pages, up to so many bytes, and as many as one turn can add; at least one.
    mutating func plan(most byteCount: Int) -> [PageNeed] {
        var needs: [PageNeed] = []
        let first = asked
        while asked < uses.count {
            let address = geometry.place(of: uses[asked].location).address
            if needs.last?.address != address {
                let isFull =
                    (needs.count + 1) * geometry.pageBytes > byteCount
                    || (asked - first) * memory.bits >= Self.countersPerTurn
                if !needs.isEmpty, isFull { break }
                needs.append(PageNeed(address: address, pageBytes: geometry.pageBytes))
            }
            asked += 1
        }
        return needs
    }

    /// Adds the counters of the pages that are held. True if it has added any.
    mutating func add(_ held: [PageAddress: Bytes]) -> Bool {
        guard done < asked else { return false }
        while done < asked {
            let place = geometry.place(of: uses[done].location)
            sums[uses[done].vector].add(held[place.address]!, at: place.offset)
            done += 1
        }
        return true
    }
}
