public import LociBase
import LociModel

/// Which postings are to be rewritten, and which are to be given up.
extension CollectionSlice {
    /// Notes whether a posting is to be rewritten; and, when it has lost points, whether it is to
    /// be given up.
    mutating func review(_ location: LocationID, hasLost: Bool = false) {
        let posting = postings[location]!
        // With more than one copy of a code, nobody counts the stale ones.
        let isStale =
            definition.options.copies == 1 && 2 * posting.rows > 3 * posting.live + splitAbove / 4
        if posting.rows > splitAbove || isStale {
            overfull.insert(location)
        } else {
            overfull.remove(location)
        }
        if posting.live >= mergeBelow {
            sparse.remove(location)
        } else if hasLost {
            sparse.insert(location)
        }
    }

    /// Hard locations whose postings are to be rewritten or given up, in order. The last one of
    /// a generation is not given up.
    public var due: [LocationID] {
        if overfull.isEmpty, sparse.isEmpty { return [] }
        let latest = locations.latestGeneration
        let siblings = postings.values.count { $0.generation == latest }
        // In order, so that the same state always says the same.
        let given = sparse.filter { postings[$0]!.generation == latest }.sorted()
        return overfull.union(given.prefix(max(0, siblings - 1))).sorted()
    }

    /// Whether the points of a posting that is due because it has few would still be found if
    /// another took them: the nearest one here must be about as near to it as to its own
    /// neighbours. Where a few points have strayed among hard locations of other partitions there
    /// is none, and away from there no query would look for them.
    public func canBeGivenUp(_ location: LocationID) -> Bool {
        let posting = postings[location]!
        if posting.live == 0 { return true }
        guard let centroid = locations.centroid(of: key(location)),
            let heir = nearest(to: centroid, posting.generation, except: [location]),
            let place = locations.centroid(of: key(heir.location))
        else { return false }
        // Of two locations each is the other's only neighbour.
        guard
            let next = nearest(to: place, posting.generation, except: [location, heir.location])
        else { return true }
        return heir.distance <= Self.strayFactor * next.distance
    }

    /// Of squared distances.
    private static let strayFactor: Float = 4

    private func nearest(
        to point: [Float], _ generation: UInt32, except others: [LocationID]
    ) -> (location: LocationID, distance: Float)? {
        locations.address(
            of: point, metric: .l2, most: others.count + 1, epsilon: .infinity,
            generation: generation
        ).lazy.map { ($0.key.location, $0.score) }.first { !others.contains($0.0) }
    }
}
