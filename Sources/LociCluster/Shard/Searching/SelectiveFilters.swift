public import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Partitions that are looked at as a whole: every point that passes the filter is compared, none
/// is ruled out by its code or left out because its posting is far away.
extension ShardNode {
    /// Makes all points that may pass candidates, in partitions whose every location is wanted and
    /// in those of which the filter lets so few through that scanning would find too few of them.
    ///
    /// Whether a filter is that selective is decided once, before anything is scanned; points that
    /// come and go meanwhile do not change it.
    func chooseWholePartitions(
        _ search: inout SearchTask, _ scan: inout CodeScanning, _ view: [CollectionSlice]
    ) {
        search.wholePartitions = []
        for slice in view {
            guard search.isExhaustive || isSelective(&scan, search, slice) else { continue }
            search.wholePartitions.append(slice.partition)
            insertEverything(of: slice, &scan, search)
        }
    }

    /// Payloads of points anywhere cost as much as so many comparisons, where indexes leave open
    /// whether they pass.
    private static let comparisonsPerPayload = 8

    private func isSelective(
        _ scan: inout CodeScanning, _ search: SearchTask, _ slice: CollectionSlice
    ) -> Bool {
        guard case .query(let query) = search.purpose, query.selectiveShare > 0,
            let plan = Self.filterPlan(&scan, search, slice), let count = plan.count
        else { return false }
        // Where memory holds a part of the vectors only, reading them costs more than codes do.
        let bytes = slices(of: search.space).reduce(0) { $0 + $1.vectorBytes }
        let held = min(1, Double(pages.budgetBytes) / Double(max(1, bytes)))
        let most = Double(query.selectiveShare) * held * Double(slice.points.count)
        return Double(plan.isExact ? count : count * Self.comparisonsPerPayload) <= most
    }

    /// The share of points up to which a filter is selective, for a query that asks for so many
    /// hard locations of all that are here.
    public func selectiveShare(_ space: SpaceID, k: Int, locations: Int) -> Float {
        let slices = slices(of: space)
        let points = slices.reduce(0) { $0 + $1.points.count }
        let all = slices.reduce(0) { $0 + $1.locations.count }
        return SearchTuning.selectiveShare(
            k: k, points: UInt64(points),
            codes: Double(points) * Double(locations) / Double(max(1, all)))
    }

    /// Makes every point of a partition a candidate, as far as indexes let it through.
    private func insertEverything(
        of slice: CollectionSlice, _ scan: inout CodeScanning, _ search: SearchTask
    ) {
        func insert(_ cell: CellNumber) {
            let record = slice.points[cell]
            guard record.isLive else { return }
            scan.candidates.insert(
                Candidate(
                    partition: slice.partition, cell: cell, id: record.id,
                    version: record.version, estimate: 0, lower: -.infinity),
                upper: .infinity, isCertain: false)
        }
        if let allowed = Self.filterPlan(&scan, search, slice)?.cells {
            for cell in allowed { insert(cell) }
        } else {
            for cell in 0..<CellNumber(slice.points.cellCount) { insert(cell) }
        }
    }

    /// Points that the filter let through, of those whose codes were looked at. Where payloads
    /// decide, only those of the most promising points are asked, and as many of the others are
    /// taken to pass.
    func passed(_ search: SearchTask) -> UInt64 {
        guard search.filter != nil, let scan = search.scan else { return 0 }
        let plans = scan.filters.values.map(\.plan)
        let isCounted = plans.allSatisfy { $0.cells != nil }
        let most = isCounted ? scan.scanner.passed : scan.scanner.codesScanned
        if most == 0 { return 0 }
        if plans.allSatisfy(\.isExact) { return most }
        let found = scan.candidates.candidates.count
        let share = Double(found) / Double(max(1, scan.verified))
        return max(UInt64(found), UInt64(Double(most) * min(1, share)))
    }
}
