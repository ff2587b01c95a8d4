import LociBase
import LociKernels
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Comparing the full vectors of those points that their codes do not rule out.
extension ShardNode {
    /// - Parameter hasCopies: A point may have a copy in two partitions here.
    static func comparing(
        _ search: SearchTask, _ view: [CollectionSlice], hasCopies: Bool
    ) -> Comparing {
        var items = search.scan!.candidates.unresolved.map(Comparing.Item.init)
        if case .completion = search.purpose {
            // A copy on the other side of a border must not weigh twice.
            items.removeAll {
                !view[index(of: $0.partition, view)].points[$0.cell].isPrimary
            }
        }
        let metric = search.definition.metric
        let limit = search.k * (hasCopies ? 2 : 1)
        var comparing = Comparing(
            items: items, parts: parts(of: items, view),
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

    /// What lies on the same page together, the most promising first.
    private static func parts(
        of items: [Comparing.Item], _ view: [CollectionSlice]
    ) -> [Comparing.Part] {
        var parts: [Comparing.Part] = []
        parts.reserveCapacity(items.count)
        for (number, item) in items.enumerated() {
            let place = view[index(of: item.partition, view)].geometry.vectorPlace(of: item.cell)
            if let last = parts.indices.last, parts[last].address == place.address {
                parts[last].items = parts[last].items.lowerBound..<(number + 1)
                parts[last].lower = min(parts[last].lower, item.lower)
            } else {
                parts.append(
                    Comparing.Part(
                        items: number..<(number + 1), address: place.address,
                        offset: place.offset, lower: item.lower))
            }
        }
        parts.sort { $0.lower < $1.lower }
        return parts
    }

    /// Compares those whose pages are held or in memory. Returns the pages that are needed next.
    mutating func compare(
        _ search: inout SearchTask, _ view: [CollectionSlice], _ task: inout PageTask
    ) -> [PageNeed] {
        // Taken out of the search, so that it changes where it is.
        var comparing = search.comparing!
        search.comparing = nil
        defer { search.comparing = comparing }
        let started = stopwatch()
        defer { task.receipt.scoringMicroseconds += stopwatch().microseconds(since: started) }
        let metric = search.definition.metric
        for part in comparing.asked {
            let page = task.held[part.address]
            Self.compare(part, page, &comparing, search, view, &task.receipt)
        }
        comparing.asked = []
        let pageBytes = search.definition.vectorPageBytes
        let most = max(1, roundBytes / pageBytes)
        var comparedBytes = 0
        var found: [Bytes?] = []
        while comparing.asked.count < most {
            if comparedBytes > Self.bytesBetweenPauses, comparing.asked.isEmpty {
                comparing.hasWaited = true
                task.isPausing = true
                return []
            }
            let parts = comparing.nextParts(
                atMost: min(Self.partsAtOnce, most - comparing.asked.count), metric)
            if parts.isEmpty { break }
            pages.use(
                parts.map { PageNeed(address: $0.address, pageBytes: pageBytes) }, into: &found)
            for (part, page) in zip(parts, found) {
                guard let page else { continue }
                Kernels.fetch(page, at: part.offset, count: search.definition.rowBytes)
            }
            for (part, page) in zip(parts, found) {
                guard let page else {
                    comparing.asked.append(part)
                    continue
                }
                task.noteUse(of: page)
                Self.compare(part, page, &comparing, search, view, &task.receipt)
                comparedBytes += pageBytes
            }
        }
        let limit = comparing.limit(metric)
        comparing.asked.removeAll { $0.lower > limit }
        if comparing.asked.isEmpty { return [] }
        comparing.hasWaited = true
        // Neighbouring pages are read together.
        return comparing.asked.map { PageNeed(address: $0.address, pageBytes: pageBytes) }
            .sorted { $0.address < $1.address }
    }

    /// Pages in memory after which others have their turn: a few milliseconds of comparing.
    private static let bytesBetweenPauses = 16 << 20

    /// Pages that are looked up together. Few, as each may rule out others.
    private static let partsAtOnce = 8

    /// Compares items on one page; without it, because it was not to be read, the codes have to do.
    private static func compare(
        _ part: Comparing.Part, _ page: Bytes?, _ comparing: inout Comparing,
        _ search: SearchTask, _ view: [CollectionSlice], _ receipt: inout Receipt
    ) {
        let metric = search.definition.metric
        guard let page else {
            receipt.vectorsScored += UInt64(part.items.count)
            let isWhole = search.isWhole(comparing.items[part.items.lowerBound].partition)
            if isWhole || comparing.completion != nil { return }
            for item in comparing.items[part.items] {
                let score = metric.kernelScore(fromEstimate: item.estimate)
                comparing.best.insert(Comparing.Compared(item: item, score: score))
            }
            return
        }
        let first = comparing.items[part.items.lowerBound]
        let rows = Int(comparing.items[part.items.upperBound - 1].cell - first.cell) + 1
        let index = index(of: first.partition, view)
        // Close together they are scored in one go, with what lies between. A completion scores by
        // itself what it adds.
        let isDense =
            rows > 1 && rows <= 2 * part.items.count && comparing.completion == nil
        var scores: [Float] = []
        if isDense {
            scores.reserveCapacity(rows)
            Kernels.score(
                metric.scoreKind, query: search.vector, rows: page, at: part.offset, count: rows,
                into: &scores)
        }
        let limit = comparing.limit(metric)
        for number in part.items {
            let item = comparing.items[number]
            if item.lower > limit { continue }
            receipt.vectorsScored += 1
            let row = Int(item.cell - first.cell)
            let record = view[index].points[item.cell]
            guard record.version == item.version, record.isLive else {
                comparing.changed.append(ChangedPoint(partition: item.partition, id: item.id))
                continue
            }
            let offset = part.offset + row * search.definition.rowBytes
            if comparing.completion != nil {
                comparing.completion!.add(
                    page, at: offset, count: 1, state: search.vector, metric: metric)
                continue
            }
            let score =
                isDense
                ? scores[row]
                : Kernels.score(metric.scoreKind, query: search.vector, row: page, at: offset)
            comparing.best.insert(Comparing.Compared(item: item, score: score))
        }
    }
}

extension Comparing {
    /// What is believed to cost more is of no interest any more.
    fileprivate func limit(_ metric: Metric) -> Float {
        guard completion == nil, let worst = best.worst else { return .infinity }
        return metric.estimate(fromKernel: worst.score)
    }

    /// The next parts, none once no other can be among the best.
    fileprivate mutating func nextParts(atMost most: Int, _ metric: Metric) -> ArraySlice<Part> {
        let limit = limit(metric)
        let start = next
        while next < parts.count, next - start < most, !(parts[next].lower > limit) { next += 1 }
        return parts[start..<next]
    }
}
