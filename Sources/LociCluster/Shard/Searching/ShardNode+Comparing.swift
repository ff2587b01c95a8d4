import LociBase
import LociKernels
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Comparing the full vectors of those points that their codes do not rule out.
extension ShardNode {
    func comparing(_ search: SearchTask) -> Comparing {
        var items = search.scan!.candidates.unresolved.map {
            Comparing.Item(
                partition: $0.partition, cell: $0.cell, id: $0.id, version: $0.version,
                estimate: $0.estimate)
        }
        if case .completion = search.purpose {
            // A copy on the other side of a border must not weigh twice.
            let view = slices(wantedBy: search)
            items.removeAll {
                !view[Self.index(of: $0.partition, view)].points[$0.cell].isPrimary
            }
        }
        let metric = search.definition.metric
        // A point may have a copy in two partitions here, so twice as many are kept.
        let limit = search.k * (workers.count > 1 ? 2 : 1)
        var comparing = Comparing(
            items: items,
            best: TopK(limit) { left, right in
                left.score == right.score
                    ? left.item.id < right.item.id
                    : metric.isNearer(left.score, right.score)
            })
        comparing.changed = search.scan!.changed
        if let compared = search.compared {
            comparing.hasWaited = true
            comparing.best = compared.best
            comparing.completion = compared.completion
        } else if case .completion(let step) = search.purpose {
            comparing.completion = SoftmaxPartial(
                dimension: search.definition.dimension, beta: step.beta)
        }
        return comparing
    }

    /// Compares those whose pages are held or in memory. Returns the pages that are needed next.
    mutating func compare(
        _ comparing: inout Comparing, _ search: SearchTask, _ task: inout PageTask
    ) -> [PageNeed] {
        let started = stopwatch()
        defer { task.receipt.scoringMicroseconds += stopwatch().microseconds(since: started) }
        let view = slices(wantedBy: search)
        for part in comparing.asked {
            let page = task.held[Self.address(of: part, comparing, view)]
            Self.compare(part, page, &comparing, search, view)
            task.receipt.vectorsScored += UInt64(part.count)
        }
        comparing.asked = []
        let pageBytes = search.definition.vectorPageBytes
        let most = max(1, roundBytes / pageBytes)
        var comparedBytes = 0
        while comparing.asked.count < most {
            if comparedBytes > Self.bytesBetweenPauses, comparing.asked.isEmpty {
                comparing.hasWaited = true
                task.isPausing = true
                return []
            }
            let parts = Self.nextParts(&comparing, view, atMost: most - comparing.asked.count)
            if parts.isEmpty { break }
            let needs = parts.map {
                PageNeed(address: Self.address(of: $0, comparing, view), pageBytes: pageBytes)
            }
            var found: [Bytes?] = []
            pages.use(needs, into: &found)
            for (part, page) in zip(parts, found) {
                if let page { Self.fetch(part, page, comparing, view) }
            }
            for (part, page) in zip(parts, found) {
                guard let page else {
                    comparing.asked.append(part)
                    continue
                }
                task.noteUse(of: page)
                task.receipt.vectorsScored += UInt64(part.count)
                Self.compare(part, page, &comparing, search, view)
                comparedBytes += pageBytes
            }
        }
        if comparing.asked.isEmpty { return [] }
        comparing.hasWaited = true
        return comparing.asked.map {
            PageNeed(address: Self.address(of: $0, comparing, view), pageBytes: pageBytes)
        }
    }

    /// Pages in memory after which others have their turn: a few milliseconds of comparing.
    private static let bytesBetweenPauses = 16 << 20

    /// Pages that are looked up together.
    private static let partsAtOnce = 32

    private static func nextParts(
        _ comparing: inout Comparing, _ view: [CollectionSlice], atMost most: Int
    ) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        while parts.count < min(partsAtOnce, most), let part = nextPart(&comparing, view) {
            parts.append(part)
        }
        return parts
    }

    /// Brings the first vector of a part towards the processor.
    private static func fetch(
        _ part: Range<Int>, _ page: Bytes, _ comparing: Comparing, _ view: [CollectionSlice]
    ) {
        let item = comparing.items[part.lowerBound]
        let index = index(of: item.partition, view)
        Kernels.fetch(
            page, at: view[index].vectorPlace(of: item.cell).offset,
            count: view[index].definition.rowBytes)
    }

    private static func address(
        of part: Range<Int>, _ comparing: Comparing, _ view: [CollectionSlice]
    ) -> PageAddress {
        let item = comparing.items[part.lowerBound]
        let index = index(of: item.partition, view)
        return view[index].vectorPlace(of: item.cell).address
    }

    /// The next items, all on the same page.
    private static func nextPart(
        _ comparing: inout Comparing, _ view: [CollectionSlice]
    ) -> Range<Int>? {
        let start = comparing.next
        guard start < comparing.items.count else { return nil }
        let first = comparing.items[start]
        let index = index(of: first.partition, view)
        let page = view[index].vectorPlace(of: first.cell).address
        var end = start + 1
        while end < comparing.items.count, comparing.items[end].partition == first.partition,
            view[index].vectorPlace(of: comparing.items[end].cell).address == page
        {
            end += 1
        }
        comparing.next = end
        return start..<end
    }

    /// Compares items on one page; without it, because it was not to be read, the codes have to do.
    private static func compare(
        _ part: Range<Int>, _ page: Bytes?, _ comparing: inout Comparing, _ search: SearchTask,
        _ view: [CollectionSlice]
    ) {
        let metric = search.definition.metric
        guard let page else {
            let isWhole = search.isWhole(comparing.items[part.lowerBound].partition)
            if isWhole || comparing.completion != nil { return }
            for item in comparing.items[part] {
                let score = metric.kernelScore(fromEstimate: item.estimate)
                comparing.best.insert(Comparing.Compared(item: item, score: score))
            }
            return
        }
        let first = comparing.items[part.lowerBound]
        let rows = Int(comparing.items[part.upperBound - 1].cell - first.cell) + 1
        let index = index(of: first.partition, view)
        let start = view[index].vectorPlace(of: first.cell).offset
        // Close together they are scored in one go, with what lies between. A completion scores by
        // itself what it adds.
        let isDense = rows <= 2 * part.count && comparing.completion == nil
        var scores: [Float] = []
        if isDense {
            scores.reserveCapacity(rows)
            Kernels.score(
                metric.scoreKind, query: search.vector, rows: page, at: start, count: rows,
                into: &scores)
        }
        for item in comparing.items[part] {
            let row = Int(item.cell - first.cell)
            let record = view[index].points[item.cell]
            guard record.version == item.version, record.isLive else {
                comparing.changed.append(ChangedPoint(partition: item.partition, id: item.id))
                continue
            }
            let offset = start + row * search.definition.rowBytes
            if comparing.completion != nil {
                comparing.completion!.add(
                    page, at: offset, count: 1, state: search.vector, metric: metric)
                continue
            }
            if !isDense {
                scores.removeAll(keepingCapacity: true)
                Kernels.score(
                    metric.scoreKind, query: search.vector, rows: page, at: offset, count: 1,
                    into: &scores)
            }
            comparing.best.insert(
                Comparing.Compared(item: item, score: scores[isDense ? row : 0]))
        }
    }
}
