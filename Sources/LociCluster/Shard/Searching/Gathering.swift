import LociBase
import LociModel
import LociSearch
import LociTiering

/// A point on its way into an answer.
struct FoundPoint: Equatable, Sendable {
    let partition: PartitionIndex
    let cell: CellNumber
    var score: Float = 0
    let record: PointRecord

    var id: PointID { record.id }
}

/// Vectors and payloads of points that were found, fetched in rounds.
///
/// Invariants:
/// - `payloads` and `vectors` are those of the first `done` points; the pages of those up to
///   `asked` were asked for last.
struct Gathering: Sendable {
    let points: [FoundPoint]
    let definition: CollectionDefinition
    let withVector: Bool
    let withPayload: Bool
    /// Whether a point that has changed makes it stale, even if its vector is not wanted.
    let isStrict: Bool
    var done = 0
    var asked = 0
    var payloads: [Bytes] = []
    var vectors: [Bytes] = []

    init(
        _ points: [FoundPoint], of definition: CollectionDefinition, withVector: Bool,
        withPayload: Bool, isStrict: Bool
    ) {
        self.points = points
        self.definition = definition
        self.withVector = withVector
        self.withPayload = withPayload
        self.isStrict = isStrict
    }

    enum Step {
        case needs([PageNeed])
        /// A point is not any more what it was when it was found.
        case isStale
        case isDone
    }
}

extension ShardNode {
    /// Takes what the held pages have, and says what is needed next.
    func step(_ gathering: inout Gathering, _ task: PageTask) -> Gathering.Step {
        while true {
            guard take(&gathering, task) else { return .isStale }
            if gathering.done == gathering.points.count { return .isDone }
            let needs = nextNeeds(&gathering)
            if !needs.isEmpty { return .needs(needs) }
        }
    }

    /// False if a point has changed.
    private func take(_ gathering: inout Gathering, _ task: PageTask) -> Bool {
        let isLast = gathering.done == 0 && gathering.asked == gathering.points.count
        guard gathering.isStrict || gathering.withVector || gathering.withPayload else {
            gathering.done = gathering.asked
            return true
        }
        for point in gathering.points[gathering.done..<gathering.asked] {
            let isCurrent =
                workers[point.partition]?.state.slices[gathering.definition.space]?
                .points.record(of: point.id) == point.record
            if !isCurrent, gathering.isStrict || gathering.withVector { return false }
            // Copies if more rounds come, so that the pages can go.
            if gathering.withPayload {
                let payload = payload(of: point, gathering.definition, task.held)
                gathering.payloads.append(isLast ? payload : payload.compact())
            }
            if gathering.withVector {
                let vector = vector(of: point, gathering.definition, task.held)
                gathering.vectors.append(isLast ? vector : vector.compact())
            }
        }
        gathering.done = gathering.asked
        return true
    }

    private func nextNeeds(_ gathering: inout Gathering) -> [PageNeed] {
        guard gathering.withVector || gathering.withPayload else {
            gathering.asked = gathering.points.count
            return []
        }
        var needs: Set<PageNeed> = []
        var bytes = 0
        while gathering.asked < gathering.points.count {
            let point = gathering.points[gathering.asked]
            let new = self.needs(of: point, gathering).filter { !needs.contains($0) }
            bytes += new.reduce(0) { $0 + $1.pageBytes }
            if !needs.isEmpty, bytes > roundBytes { break }
            needs.formUnion(new)
            gathering.asked += 1
        }
        return needs.sorted { $0.address < $1.address }
    }

    private func needs(of point: FoundPoint, _ gathering: Gathering) -> [PageNeed] {
        var needs: [PageNeed] = []
        if gathering.withPayload {
            needs = slice(of: point, gathering.definition)?.payloadNeeds(of: point.record) ?? []
        }
        if gathering.withVector, let place = vectorPlace(of: point, gathering.definition) {
            needs.append(
                PageNeed(
                    address: place.address, pageBytes: gathering.definition.vectorPageBytes))
        }
        return needs
    }

    private func slice(
        of point: FoundPoint, _ definition: CollectionDefinition
    ) -> CollectionSlice? { workers[point.partition]?.state.slices[definition.space] }

    private func vectorPlace(
        of point: FoundPoint, _ definition: CollectionDefinition
    ) -> (address: PageAddress, offset: Int)? {
        slice(of: point, definition)?.vectorPlace(of: point.cell)
    }

    /// A payload out of pages that are held; empty if a page of it was not to be asked for.
    /// Payloads never move, so pages cannot be out of date.
    private func payload(
        of point: FoundPoint, _ definition: CollectionDefinition, _ held: [PageAddress: Bytes]
    ) -> Bytes {
        slice(of: point, definition)?.payload(of: point.record, in: held) ?? Bytes()
    }

    /// A vector out of pages that are held; zeros if its page was not to be asked for.
    private func vector(
        of point: FoundPoint, _ definition: CollectionDefinition, _ held: [PageAddress: Bytes]
    ) -> Bytes {
        guard let place = vectorPlace(of: point, definition), let page = held[place.address]
        else { return Bytes(zeros: definition.rowBytes) }
        return page.slice(place.offset..<(place.offset + definition.rowBytes))
    }
}

extension CollectionSlice {
    func payloadNeeds(of record: PointRecord) -> [PageNeed] {
        payloadPieces(offset: record.payloadOffset, count: Int(record.payloadBytes)).map {
            PageNeed(address: $0.address, pageBytes: CollectionDefinition.payloadPageBytes)
        }
    }

    /// A payload out of pages that are held; nil if one of them is not.
    func payload(of record: PointRecord, in held: [PageAddress: Bytes]) -> Bytes? {
        var parts: [Bytes] = []
        for piece in payloadPieces(
            offset: record.payloadOffset, count: Int(record.payloadBytes))
        {
            guard let page = held[piece.address] else { return nil }
            parts.append(page.slice(piece.offset..<(piece.offset + piece.count)))
        }
        return Bytes.joined(parts)
    }
}
