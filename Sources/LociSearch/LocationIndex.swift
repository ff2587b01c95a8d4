public import LociBase
public import LociKernels
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
    /// - Parameters:
    ///   - isAllowed: Only rows for which this holds. `generation` is much faster.
    ///   - isEstimate: The codes have the last word, as in a copy without exact locations: for
    ///     queries, of which nothing is logged.
    public func address(
        of query: [Float], metric: Metric, most: Int, least: Int = 1, epsilon: Float,
        generation: UInt32? = nil, isEstimate: Bool = false,
        among isAllowed: ((Int) -> Bool)? = nil
    ) -> [ActiveLocation] {
        let smallerIsNearer = metric != .dot
        let isBounded = smallerIsNearer && epsilon < .infinity
        let wanted = LocationScan.Wanted(
            most: max(most, 1), least: min(max(least, 1), max(most, 1)),
            factor: isBounded ? 1 + epsilon : .infinity)
        let ranked = ranked(query, metric, wanted, generation, isEstimate, isAllowed)
        guard let nearest = ranked.first else { return [] }
        let bound = isBounded ? (1 + epsilon) * max(0, nearest.cost) : .infinity
        var active: [ActiveLocation] = []
        active.reserveCapacity(ranked.count)
        for candidate in ranked {
            let score = smallerIsNearer ? max(0, candidate.cost) : -candidate.cost
            if active.count >= wanted.least, smallerIsNearer, !(score <= bound) { break }
            active.append(ActiveLocation(key: keys[Int(candidate.row)], score: score))
        }
        return active
    }

    /// The hard locations of a generation to which a vector is written: nearest first, with squared
    /// distances, chosen by `Closure` among the 64 nearest.
    public func closure(
        of vector: [Float], generation: UInt32, most: Int = Closure.most, epsilon: Float
    ) -> [ActiveLocation] {
        let wanted = LocationScan.Wanted(
            most: most == 1 ? 1 : max(most, Closure.candidates), least: 1,
            factor: epsilon < .infinity ? 1 + epsilon : .infinity)
        let ranked = ranked(vector, .l2, wanted, generation, false, nil)
        let active = ranked.map {
            ActiveLocation(key: keys[Int($0.row)], score: max(0, $0.cost))
        }
        let chosen = Closure.choose(
            distances: active.map(\.score), most: most, epsilon: epsilon
        ) { squaredDistance(ranked[$0], ranked[$1]) }
        return chosen.map { active[$0] }
    }

    /// The squared distance or inner product of a location and a query; of what its code says where
    /// the index does not keep it exactly. Allocates nothing where it does. Nil for an unknown key.
    public func score(_ kind: ScoreKind, of key: LocationKey, with query: [Float]) -> Float? {
        precondition(query.count == dimension)
        guard let place = place(of: key) else { return nil }
        return layers[place.layer].score(kind, group: place.group, slot: place.slot, with: query)
    }

    /// Squared distances of several locations, and inner products where they are wanted; nil for
    /// unknown keys. All are on their way from memory before the first is scored.
    func scores(
        of keys: [LocationKey], with query: [Float], wantsProducts: Bool
    ) -> [(squaredDistance: Float, product: Float)?] {
        precondition(query.count == dimension)
        let places = keys.map { place(of: $0) }
        for case let place? in places {
            layers[place.layer].fetch(group: place.group, slot: place.slot)
        }
        return places.map { place in
            guard let place else { return nil }
            let (layer, group, slot) = (place.layer, place.group, place.slot)
            return (
                layers[layer].score(.squaredL2, group: group, slot: slot, with: query),
                wantsProducts ? layers[layer].score(.dot, group: group, slot: slot, with: query) : 0
            )
        }
    }

    // MARK: Parts

    /// Where a location lies.
    private struct Place {
        let layer: Int
        let group: Int
        let slot: Int
    }

    private func place(of key: LocationKey) -> Place? {
        guard let row = rows[key], let layer = layer(of: generations[Int(row)]) else { return nil }
        let group = Int(homes[Int(row)])
        let groups = layers.span[layer].groups
        return Place(layer: layer, group: group, slot: groups.span[group].slot(of: row))
    }

    private func ranked(
        _ query: [Float], _ metric: Metric, _ wanted: LocationScan.Wanted, _ generation: UInt32?,
        _ isEstimate: Bool, _ isAllowed: ((Int) -> Bool)?
    ) -> [LocationScan.Candidate] {
        precondition(query.count == dimension)
        var chosen = layers.indices
        if let generation {
            guard let layer = layer(of: generation) else { return [] }
            chosen = layer..<(layer + 1)
        }
        var scan = LocationScan(
            query: query, metric: metric, wanted: wanted,
            isExact: !isEstimate && chosen.allSatisfy { layers[$0].keepsExact })
        return scan.ranked(layers, chosen, keys: keys, among: isAllowed)
    }

    private func squaredDistance(
        _ left: LocationScan.Candidate, _ right: LocationScan.Candidate
    ) -> Float {
        let layer = Int(left.layer)
        guard layers[layer].keepsExact else {
            return Kernels.score(
                .squaredL2, row: 0, of: vector(left), with: 0, of: vector(right),
                dimension: dimension)
        }
        return Kernels.score(
            .squaredL2, row: Int(left.slot), of: layers[layer].groups[Int(left.group)].exact,
            with: Int(right.slot), of: layers[layer].groups[Int(right.group)].exact,
            dimension: dimension)
    }

    private func vector(_ candidate: LocationScan.Candidate) -> [Float] {
        layers[Int(candidate.layer)].groups[Int(candidate.group)].vector(at: Int(candidate.slot))
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
