import LociBase
import LociModel
import LociSearch
import LociTiering

/// Sums of the counters that addresses activate on this shard: page by page in rounds, each page
/// once for all addresses. Writes that come between two rounds may be seen in part.
struct MemoryReadTask: Sendable {
    let asker: Asker
    let memory: MemoryDefinition
    let partitions: Int
    private let pageBytes: Int
    /// In the order of their pages.
    private var uses: [Use] = []
    /// Of `uses`: those before `done` have been added, those up to `asked` are next.
    private var done = 0
    private var asked = 0
    private(set) var sums: [KanervaSums]

    /// Counters of a hard location, for one of the addresses.
    private struct Use {
        let address: PageAddress
        let offset: Int32
        let vector: Int32
    }

    /// Hard locations that one request may activate on a shard, over all its addresses: more take
    /// too much memory, and are no sparse addresses.
    private static let mostUses = 1 << 21

    /// - Throws: RESOURCE_EXHAUSTED if too many hard locations are active.
    init(
        _ memory: MemoryDefinition, _ addresses: [BinaryVector], in home: [PartitionIndex],
        partitions: Int, asker: Asker
    ) throws(LociError) {
        self.asker = asker
        self.memory = memory
        self.partitions = home.count
        let geometry = FieldGeometry(memory, partitions: partitions)
        pageBytes = geometry.pageBytes
        sums = addresses.map { _ in KanervaSums(bits: memory.bits) }
        for (vector, address) in addresses.enumerated() {
            for partition in home {
                let active = memory.activeLocations(
                    of: address, partition: partition, of: partitions)
                guard uses.count + active.count <= Self.mostUses else {
                    throw LociError(
                        .resourceExhausted,
                        "\(addresses.count) addresses activate more than \(Self.mostUses) hard "
                            + "locations of one shard.",
                        advice: "Read fewer at once, or create a memory with a smaller radius.")
                }
                for location in active {
                    let place = geometry.place(of: location)
                    uses.append(
                        Use(
                            address: place.address, offset: Int32(place.offset),
                            vector: Int32(vector)))
                }
            }
        }
        uses.sort { $0.address < $1.address }
    }

    var isDone: Bool { done == uses.count }

    /// The next pages, up to so many bytes; at least one.
    mutating func plan(most byteCount: Int) -> [PageNeed] {
        var needs: [PageNeed] = []
        while asked < uses.count {
            let address = uses[asked].address
            if needs.last?.address != address {
                if !needs.isEmpty, (needs.count + 1) * pageBytes > byteCount { break }
                needs.append(PageNeed(address: address, pageBytes: pageBytes))
            }
            asked += 1
        }
        return needs
    }

    /// Adds the counters of the pages that are held.
    mutating func add(_ held: [PageAddress: Bytes]) {
        while done < asked {
            let address = uses[done].address
            let page = held[address]!
            while done < asked, uses[done].address == address {
                sums[Int(uses[done].vector)].add(page, at: Int(uses[done].offset))
                done += 1
            }
        }
    }
}
