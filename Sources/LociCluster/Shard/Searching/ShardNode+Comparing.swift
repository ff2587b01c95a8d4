import LociBase
import LociKernels
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Comparing the full vectors of those points that their codes do not rule out.
extension ShardNode {
    func comparing(_ search: SearchTask) -> Comparing {
        let items = search.scan!.candidates.unresolved.map {
            Comparing.Item(
                partition: $0.partition, cell: $0.cell, id: $0.id, version: $0.version,
                estimate: $0.estimate)
        }
        let isSmallerNearer = search.definition.metric != .dot
        // A point may have a copy in two partitions here, so twice as many are kept.
        let limit = search.k * (workers.count > 1 ? 2 : 1)
        var comparing = Comparing(
            items: items,
            best: TopK(limit) { left, right in
                left.score == right.score
                    ? left.item.id < right.item.id
                    : (left.score < right.score) == isSmallerNearer
            })
        if case .completion(let step) = search.purpose {
            comparing.completion = SoftmaxPartial(
                dimension: search.definition.dimension, beta: step.beta)
        }
        return comparing
    }

    /// Compares those whose pages are held. Returns the pages that are needed next.
    func compare(
        _ comparing: inout Comparing, _ search: SearchTask, _ task: inout PageTask
    ) -> [PageNeed] {
        let started = stopwatch()
        defer { task.receipt.scoringMicroseconds += stopwatch().microseconds(since: started) }
        compareAsked(&comparing, search, &task)
        var needs: [PageNeed] = []
        let most = max(1, roundBytes / search.definition.vectorPageBytes)
        while comparing.asked < comparing.items.count {
            let item = comparing.items[comparing.asked]
            let slice = workers[item.partition]?.state.slices[search.space]
            if let address = slice?.vectorPlace(of: item.cell).address,
                needs.last?.address != address
            {
                if needs.count == most { break }
                needs.append(
                    PageNeed(address: address, pageBytes: search.definition.vectorPageBytes))
            }
            comparing.asked += 1
        }
        return needs
    }

    private func compareAsked(
        _ comparing: inout Comparing, _ search: SearchTask, _ task: inout PageTask
    ) {
        let metric = search.definition.metric
        let rowBytes = search.definition.rowBytes
        var index = comparing.done
        var scores: [Float] = []
        while index < comparing.asked {
            let first = comparing.items[index]
            guard let slice = workers[first.partition]?.state.slices[search.space] else {
                index += 1
                continue
            }
            let place = slice.vectorPlace(of: first.cell)
            // Those on the same page are scored together: all rows between the first and the last.
            var end = index + 1
            while end < comparing.asked, comparing.items[end].partition == first.partition,
                slice.vectorPlace(of: comparing.items[end].cell).address == place.address
            {
                end += 1
            }
            defer { index = end }
            guard let page = task.held[place.address] else {
                if search.isExhaustive || comparing.completion != nil { continue }
                for item in comparing.items[index..<end] {
                    let score = metric == .dot ? -item.estimate : max(0, item.estimate)
                    comparing.best.insert(Comparing.Compared(item: item, score: score))
                }
                continue
            }
            let rows = Int(comparing.items[end - 1].cell - first.cell) + 1
            let isDense = rows <= 2 * (end - index)
            if isDense {
                scores.removeAll(keepingCapacity: true)
                Kernels.score(
                    metric.scoreKind, query: search.vector, rows: page, at: place.offset,
                    count: rows, into: &scores)
            }
            for item in comparing.items[index..<end] {
                let offset = place.offset + Int(item.cell - first.cell) * rowBytes
                if !isDense {
                    scores.removeAll(keepingCapacity: true)
                    Kernels.score(
                        metric.scoreKind, query: search.vector, rows: page, at: offset, count: 1,
                        into: &scores)
                }
                let score = isDense ? scores[Int(item.cell - first.cell)] : scores[0]
                task.receipt.vectorsScored += 1
                guard slice.points[item.cell].version == item.version,
                    slice.points[item.cell].isLive
                else { continue }
                if comparing.completion != nil {
                    comparing.completion!.add(
                        page, at: offset, count: 1, state: search.vector, metric: metric)
                } else {
                    comparing.best.insert(Comparing.Compared(item: item, score: score))
                }
            }
        }
        comparing.done = comparing.asked
    }
}
