import LociSearch

/// The points of a trial on the lists of their hard locations.
struct PostingLists {
    /// By location; a point is on up to eight, nearest to the location first, and on that of its
    /// nearest location in any case.
    private(set) var closure: [[Int]]
    /// By location; a point is on that of its nearest location only.
    private(set) var single: [[Int]]
    private(set) var meanCopies = 0.0
    private(set) var copied = 0.0

    init(rows: [Float], locations: LocationIndex, count: Int) {
        let dimension = locations.dimension
        let points = rows.count / dimension
        single = Array(repeating: [], count: count)
        var lists = [[(point: Int, distance: Float, isNearest: Bool)]](
            repeating: [], count: count)
        var (copies, several) = (0, 0)
        for point in 0..<points {
            let vector = Array(rows[(point * dimension)..<((point + 1) * dimension)])
            let chosen = locations.closure(
                of: vector, generation: 1, most: AddressingTrial.copies,
                epsilon: AddressingTrial.epsilon)
            copies += chosen.count
            several += chosen.count > 1 ? 1 : 0
            for (rank, active) in chosen.enumerated() {
                lists[Int(active.key.location)].append((point, active.score, rank == 0))
                if rank == 0 { single[Int(active.key.location)].append(point) }
            }
        }
        meanCopies = Double(copies) / Double(points)
        copied = Double(several) / Double(points)
        closure = lists.map { list in
            // What is over the limit goes, the farthest first, but never a point's nearest copy.
            let sorted = list.sorted { ($0.distance, $0.point) < ($1.distance, $1.point) }
            return sorted.enumerated()
                .filter { $0.offset < AddressingTrial.listLimit || $0.element.isNearest }
                .map(\.element.point)
        }
    }

    var meanLength: Double {
        Double(closure.reduce(0) { $0 + $1.count }) / Double(max(closure.count, 1))
    }

    var longest: Int { closure.map(\.count).max() ?? 0 }
}
