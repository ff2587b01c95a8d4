import LociKernels

/// The hard locations of one generation in groups of neighbours, about as many groups as locations
/// in a group, or of at least 128.
///
/// Invariants:
/// - No group is empty, none has more than twice the wanted size.
/// - Row i of `centres` is the centre of group i.
struct LocationLayer: Sendable {
    let generation: UInt32
    let dimension: Int
    private(set) var keepsExact: Bool
    private(set) var groups: [LocationGroup] = []
    private(set) var centres: [Float] = []
    private(set) var count = 0

    static let leastGroup = 128

    init(generation: UInt32, dimension: Int, keepsExact: Bool) {
        self.generation = generation
        self.dimension = dimension
        self.keepsExact = keepsExact
    }

    var wantedSize: Int { max(Self.leastGroup, Int(Double(count).squareRoot())) }

    /// Puts a location into the group with the nearest centre. What moves is told to `homes`.
    mutating func insert(_ row: UInt32, _ vector: [Float], homes: inout [UInt32]) {
        if groups.isEmpty { add(LocationGroup(centre: vector, keepsExact: keepsExact)) }
        let group = Kernels.nearest(vector, among: centres)?.index ?? 0
        groups[group].append(row, vector)
        homes[Int(row)] = UInt32(group)
        count += 1
        if groups[group].count > 2 * wantedSize { split(group, &homes) }
    }

    mutating func remove(_ row: UInt32, homes: inout [UInt32]) {
        let group = Int(homes[Int(row)])
        groups[group].remove(at: groups[group].slot(of: row))
        count -= 1
        guard groups[group].count < wantedSize / 4 else { return }
        // The few that are left go to the next nearest groups.
        guard groups[group].count == 0 || groups.count > 1 else { return }
        let left = groups[group]
        drop(group, &homes)
        count -= left.count
        for slot in 0..<left.count {
            insert(left.rows[slot], left.vector(at: slot), homes: &homes)
        }
    }

    mutating func rename(_ row: UInt32, to new: UInt32, home: UInt32) {
        groups[Int(home)].rename(row, to: new)
    }

    func vector(of row: UInt32, home: UInt32) -> [Float] {
        groups[Int(home)].vector(at: groups[Int(home)].slot(of: row))
    }

    func score(_ kind: ScoreKind, group: Int, slot: Int, with query: [Float]) -> Float {
        // Through a span nothing is retained but what is used.
        let groups = groups.span
        if keepsExact {
            return Kernels.score(
                kind, row: 0, of: query, with: slot, of: groups[group].exact, dimension: dimension)
        }
        return Kernels.score(
            kind, row: 0, of: query, with: 0, of: groups[group].vector(at: slot),
            dimension: dimension)
    }

    /// To be called a moment before a location is scored.
    func fetch(group: Int, slot: Int) {
        guard keepsExact else { return }
        Kernels.fetch(row: slot, of: groups.span[group].exact, dimension: dimension)
    }

    /// Makes all groups anew by clustering; the codes are then as good as they can be.
    mutating func rebuild(keepsExact: Bool, homes: inout [UInt32]) {
        let all = groups.flatMap(\.rows)
        let vectors = groups.flatMap { group in
            (0..<group.count).flatMap { group.vector(at: $0) }
        }
        self.keepsExact = keepsExact
        groups = []
        centres = []
        fill(all, vectors, homes: &homes)
    }

    /// Fills an empty layer.
    mutating func fill(_ rows: [UInt32], _ vectors: [Float], homes: inout [UInt32]) {
        precondition(groups.isEmpty && vectors.count == rows.count * dimension)
        count = rows.count
        guard count > 0 else { return }
        var clustering = HierarchicalClustering(
            rows: vectors, dimension: dimension, seed: UInt64(count))
        let wanted = wantedSize
        for leaf in clustering.split(into: (count + wanted - 1) / wanted) {
            for start in stride(from: 0, to: leaf.count, by: 2 * wanted) {
                let members = Array(leaf[start..<min(start + 2 * wanted, leaf.count)])
                var group = LocationGroup(
                    centre: clustering.mean(of: members), keepsExact: keepsExact)
                group.reserve(members.count)
                for member in members {
                    group.append(rows[member], clustering.row(member))
                    homes[Int(rows[member])] = UInt32(groups.count)
                }
                add(group)
            }
        }
    }

    private mutating func add(_ group: LocationGroup) {
        groups.append(group)
        centres += group.centre
    }

    /// The last group takes the place of the one dropped.
    private mutating func drop(_ group: Int, _ homes: inout [UInt32]) {
        let last = groups.count - 1
        if group != last {
            groups[group] = groups[last]
            centres.replaceSubrange(
                (group * dimension)..<((group + 1) * dimension), with: groups[last].centre)
            for row in groups[group].rows { homes[Int(row)] = UInt32(group) }
        }
        groups.removeLast()
        centres.removeLast(dimension)
    }

    private mutating func split(_ group: Int, _ homes: inout [UInt32]) {
        let old = groups[group]
        let vectors = (0..<old.count).flatMap { old.vector(at: $0) }
        var bisection = BalancedBisection(
            rows: vectors, dimension: dimension, seed: UInt64(old.count))
        let halves = bisection.split(into: 2).map { members in
            var half = LocationGroup(centre: bisection.mean(of: members), keepsExact: keepsExact)
            for member in members { half.append(old.rows[member], bisection.row(member)) }
            return half
        }
        groups[group] = halves[0]
        centres.replaceSubrange(
            (group * dimension)..<((group + 1) * dimension), with: halves[0].centre)
        for row in halves[1].rows { homes[Int(row)] = UInt32(groups.count) }
        add(halves[1])
    }
}
