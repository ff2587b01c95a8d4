public import LociBase

/// What changed in a partition's hard locations, so that a copy elsewhere can follow.
///
/// Invariants:
/// - Each change has a version of its own, one more than the last.
/// - `births` and `retirements` are in the order of their versions.
/// - Retirements up to version `floor` are forgotten; a copy that is older starts anew.
public struct LocationJournal: Equatable, Sendable {
    public private(set) var version: UInt64 = 0
    /// Retirements that are remembered, at the least.
    static let remembered = 4096

    public private(set) var floor: UInt64 = 0
    private(set) var births: [(version: UInt64, location: LocationID)] = []
    private(set) var retirements: [(version: UInt64, location: LocationID)] = []
    private(set) var successors: [LocationID: [LocationID]] = [:]

    public init() {}

    public static func == (left: LocationJournal, right: LocationJournal) -> Bool {
        left.version == right.version && left.successors == right.successors
    }

    mutating func born(_ location: LocationID) {
        version += 1
        births.append((version, location))
    }

    mutating func retired(_ location: LocationID, successors children: [LocationID]) {
        version += 1
        retirements.append((version, location))
        births.removeAll { $0.location == location }
        successors[location] = children
        guard retirements.count > 2 * Self.remembered else { return }
        for forgotten in retirements.prefix(Self.remembered) {
            successors[forgotten.location] = nil
            floor = forgotten.version
        }
        retirements.removeFirst(Self.remembered)
    }

    /// Locations born after a version and still alive, oldest first, at most `limit` of them; those
    /// retired up to the version that this reaches; and that version.
    public func news(
        since: UInt64, limit: Int
    ) -> (born: [LocationID], retired: [LocationID], version: UInt64, hasMore: Bool) {
        let newer = births.drop { $0.version <= since }
        let taken = newer.prefix(limit)
        let hasMore = taken.count < newer.count
        let reached = hasMore ? taken.last?.version ?? since : version
        let retired = retirements.drop { $0.version <= since }.prefix { $0.version <= reached }
        return (taken.map(\.location), retired.map(\.location), reached, hasMore)
    }

    /// What became of a location: itself while it lives, else its children, and theirs.
    public func heirs(of location: LocationID, isAlive: (LocationID) -> Bool) -> [LocationID] {
        // Each once: points of two postings that were given up may have gone to the same ones.
        var seen: Set<LocationID> = [location]
        var living: [LocationID] = []
        var next = [location]
        while let heir = next.popLast() {
            if isAlive(heir) {
                living.append(heir)
            } else {
                for child in (successors[heir] ?? []).reversed() where seen.insert(child).inserted {
                    next.append(child)
                }
            }
        }
        return living
    }

    func write(to writer: inout ByteWriter) {
        writer.write(version)
        writer.write(floor)
        writer.write(UInt64(births.count))
        for birth in births {
            writer.write(birth.version)
            writer.write(birth.location)
        }
        writer.write(UInt64(retirements.count))
        for retirement in retirements {
            writer.write(retirement.version)
            writer.write(retirement.location)
            writer.write(array: successors[retirement.location] ?? [])
        }
    }

    init(from reader: inout ByteReader) throws(TruncatedBytes) {
        version = try reader.read()
        floor = try reader.read()
        for _ in 0..<(try reader.read(UInt64.self)) {
            let version: UInt64 = try reader.read()
            births.append((version, try reader.read()))
        }
        for _ in 0..<(try reader.read(UInt64.self)) {
            let version: UInt64 = try reader.read()
            let location: LocationID = try reader.read()
            retirements.append((version, location))
            successors[location] = try reader.readArray()
        }
    }
}
