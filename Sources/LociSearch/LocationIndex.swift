public import LociBase
import LociKernels
public import LociModel

/// Names a hard location in the whole cluster.
public struct LocationKey: Hashable, Comparable, Sendable {
    public let partition: PartitionIndex
    public let location: LocationID

    public init(partition: PartitionIndex, location: LocationID) {
        self.partition = partition
        self.location = location
    }

    public static func < (left: LocationKey, right: LocationKey) -> Bool {
        (left.partition, left.location) < (right.partition, right.location)
    }
}

/// A hard location that a vector activates, with its distance (squared l2) or similarity (dot).
public struct ActiveLocation: Equatable, Sendable {
    public let key: LocationKey
    public let score: Float

    public init(key: LocationKey, score: Float) {
        self.key = key
        self.score = score
    }
}

/// Hard locations of a collection and the address of a vector among them: the coordinator's compact
/// copy of all, and a shard's own. Serves up to a million locations: groups of about the square
/// root of their number are looked at nearest first, by int8 codes; where the locations themselves
/// are held, what the codes cannot rule out is compared exactly.
///
/// Invariants:
/// - `keys[i]`, `generations[i]` and `homes[i]` belong together; `rows` inverts `keys`.
/// - `layers` are ascending by generation, and none is empty.
/// - With `keepsExact`, an address depends on what is in the index, never on the way there: replay
///   decides alike.
public struct LocationIndex: Sendable {
    public let dimension: Int
    /// Whether the locations themselves are held beside their codes. A copy without them gives
    /// estimated scores, and an address in which some 1 % of 16 locations are not the nearest.
    public let keepsExact: Bool
    public private(set) var keys: [LocationKey] = []
    public private(set) var generations: [UInt32] = []
    /// The group of each row in the layer of its generation.
    private var homes: [UInt32] = []
    private var rows: [LocationKey: UInt32] = [:]
    private var layers: [LocationLayer] = []

    /// A copy without exact locations holds them still up to so many in a generation: groups are
    /// made anew from them once, when there are enough to know where they lie.
    static let exactBelow = 4096

    public init(dimension: Int, keepsExact: Bool = true) {
        precondition(dimension > 0 && dimension <= Kernels.maximumInt8Dimension)
        self.dimension = dimension
        self.keepsExact = keepsExact
    }

    public var count: Int { keys.count }

    public var latestGeneration: UInt32 { layers.last?.generation ?? 0 }

    /// Bytes of the codes and what belongs to them, without keys and exact locations.
    public var codeBytes: Int {
        layers.reduce(0) { sum, layer in
            sum + layer.groups.reduce(4 * layer.centres.count) { $0 + $1.codeBytes }
        }
    }

    public func contains(_ key: LocationKey) -> Bool { rows[key] != nil }

    /// The location; as its code has it where the index does not keep it exactly.
    public func centroid(of key: LocationKey) -> [Float]? {
        guard let row = rows[key], let layer = layer(of: generations[Int(row)]) else { return nil }
        return layers[layer].vector(of: row, home: homes[Int(row)])
    }

    public mutating func insert(_ key: LocationKey, generation: UInt32, centroid: [Float]) {
        precondition(centroid.count == dimension)
        let row: UInt32
        if let known = rows[key] {
            row = known
            detach(row)
            generations[Int(row)] = generation
        } else {
            row = UInt32(keys.count)
            rows[key] = row
            keys.append(key)
            generations.append(generation)
            homes.append(0)
        }
        let layer = layerToFill(generation)
        layers[layer].insert(row, centroid, homes: &homes)
        if !keepsExact, layers[layer].keepsExact, layers[layer].count >= Self.exactBelow {
            layers[layer].rebuild(keepsExact: false, homes: &homes)
        }
    }

    /// Inserts many at once, which makes the best groups when they are the first of a generation.
    /// - Parameter centroids: One after the other, in the order of the keys.
    public mutating func insert(_ new: [LocationKey], generation: UInt32, centroids: [Float]) {
        precondition(centroids.count == new.count * dimension)
        let isFirst = layer(of: generation) == nil && new.allSatisfy { rows[$0] == nil }
        guard isFirst, !new.isEmpty, Set(new).count == new.count else {
            for (index, key) in new.enumerated() {
                let place = (index * dimension)..<((index + 1) * dimension)
                insert(key, generation: generation, centroid: Array(centroids[place]))
            }
            return
        }
        let first = UInt32(keys.count)
        for (row, key) in zip(first..., new) { rows[key] = row }
        keys += new
        generations += repeatElement(generation, count: new.count)
        homes += repeatElement(0, count: new.count)
        let layer = layerToFill(generation, keepsExact: keepsExact || new.count < Self.exactBelow)
        layers[layer].fill(
            Array(first..<(first + UInt32(new.count))), centroids, homes: &homes)
    }

    public mutating func remove(_ key: LocationKey) {
        guard let row = rows.removeValue(forKey: key) else { return }
        detach(row)
        let last = UInt32(keys.count - 1)
        if row != last {
            let (from, target) = (Int(last), Int(row))
            keys[target] = keys[from]
            generations[target] = generations[from]
            homes[target] = homes[from]
            rows[keys[target]] = row
            let layer = layer(of: generations[target])!
            layers[layer].rename(last, to: row, home: homes[target])
        }
        keys.removeLast()
        generations.removeLast()
        homes.removeLast()
    }

    /// The address of a query: the nearest location, and those of the `most` nearest within a
    /// factor of its squared distance (SPANN, equation 3; the factor is `1 + epsilon`). Inner
    /// products have no such factor: there the `most` best count. Ties go by key.
    /// - Parameter generation: Only locations of this generation.
    /// - Parameter isAllowed: Only rows for which this holds. `generation` is much faster.
    public func address(
        of query: [Float], metric: Metric, most: Int, least: Int = 1, epsilon: Float,
        generation: UInt32? = nil, among isAllowed: ((Int) -> Bool)? = nil
    ) -> [ActiveLocation] {
        let ranked = ranked(query, metric, max(most, 1), generation, isAllowed).map(\.active)
        guard let nearest = ranked.first else { return [] }
        let smallerIsNearer = metric != .dot
        let isBounded = smallerIsNearer && epsilon < .infinity
        let bound = isBounded ? (1 + epsilon) * nearest.score : .infinity
        let near = ranked.prefix { !smallerIsNearer || $0.score <= bound }
        return Array(ranked.prefix(max(near.count, least, 1)))
    }

    /// The hard locations of a generation to which a vector is written: nearest first, with squared
    /// distances, chosen by `Closure` among the 64 nearest.
    public func closure(
        of vector: [Float], generation: UInt32, most: Int = Closure.most, epsilon: Float
    ) -> [ActiveLocation] {
        let ranked = ranked(vector, .l2, max(most, Closure.candidates), generation, nil)
        var places: [Float] = []
        places.reserveCapacity(ranked.count * dimension)
        for found in ranked { places += vectorOf(found.candidate) }
        let chosen = Closure.choose(
            distances: ranked.map(\.active.score), rows: places, most: most, epsilon: epsilon)
        return chosen.map { ranked[$0].active }
    }

    // MARK: Parts

    private typealias Found = (candidate: LocationScan.Candidate, active: ActiveLocation)

    private func ranked(
        _ query: [Float], _ metric: Metric, _ most: Int, _ generation: UInt32?,
        _ isAllowed: ((Int) -> Bool)?
    ) -> [Found] {
        precondition(query.count == dimension)
        let first = generation.map { layer(of: $0) }
        let chosen: [LocationLayer]
        switch first {
        case .none: chosen = layers
        case .some(.none): return []
        case .some(.some(let layer)): chosen = [layers[layer]]
        }
        let isExact = chosen.allSatisfy(\.keepsExact)
        var scan = LocationScan(query: query, metric: metric, most: most, isExact: isExact)
        scan.run(chosen, among: isAllowed)
        var costs = scan.candidates.map(\.cost)
        if isExact {
            costs = exactCosts(query, metric, scan.candidates, chosen)
        }
        // Ties go by key, not by row: rows depend on history, and replay must decide alike.
        let keys = keys
        let candidates = scan.candidates
        var best = TopK<(index: Int, cost: Float)>(most) { left, right in
            left.cost == right.cost
                ? keys[Int(candidates[left.index].row)] < keys[Int(candidates[right.index].row)]
                : left.cost < right.cost
        }
        for (index, cost) in costs.enumerated() { best.insert((index, cost)) }
        return best.sorted.map { index, cost in
            let score = metric == .dot ? -cost : max(0, cost)
            return (
                candidates[index],
                ActiveLocation(key: keys[Int(candidates[index].row)], score: score)
            )
        }
    }

    private func exactCosts(
        _ query: [Float], _ metric: Metric, _ candidates: [LocationScan.Candidate],
        _ chosen: [LocationLayer]
    ) -> [Float] {
        var places: [Float] = []
        places.reserveCapacity(candidates.count * dimension)
        for candidate in candidates {
            let start = Int(candidate.slot) * dimension
            places.append(
                contentsOf: chosen[Int(candidate.layer)].groups[Int(candidate.group)]
                    .exact[start..<(start + dimension)])
        }
        var costs: [Float] = []
        costs.reserveCapacity(candidates.count)
        Kernels.score(
            metric == .dot ? .dot : .squaredL2, query: query, rows: places, into: &costs)
        if metric == .dot { for index in costs.indices { costs[index] = -costs[index] } }
        return costs
    }

    private func vectorOf(_ candidate: LocationScan.Candidate) -> [Float] {
        let layer = layer(of: generations[Int(candidate.row)])!
        return layers[layer].groups[Int(candidate.group)].vector(at: Int(candidate.slot))
    }

    private func layer(of generation: UInt32) -> Int? {
        layers.firstIndex { $0.generation == generation }
    }

    private mutating func layerToFill(_ generation: UInt32, keepsExact: Bool = true) -> Int {
        if let layer = layer(of: generation) { return layer }
        let place = layers.firstIndex { $0.generation > generation } ?? layers.count
        layers.insert(
            LocationLayer(
                generation: generation, dimension: dimension, keepsExact: keepsExact), at: place)
        return place
    }

    private mutating func detach(_ row: UInt32) {
        let layer = layer(of: generations[Int(row)])!
        layers[layer].remove(row, homes: &homes)
        if layers[layer].count == 0 { layers.remove(at: layer) }
    }
}
