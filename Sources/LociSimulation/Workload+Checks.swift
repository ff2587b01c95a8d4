import LociBase
import LociModel
import LociWire

/// The last phase: with all faults over, everything that was acknowledged must be there.
extension Workload {
    mutating func planChecks() {
        checks = [.count, .scroll(from: 0, seen: 0)]
        checks += Self.ids.filter { points[$0]!.isCertain && points[$0]!.possible.first! != 0 }
            .prefix(12).map { .search($0) }
        for start in stride(from: Self.ids.lowerBound, through: Self.ids.upperBound, by: 50) {
            checks.append(.points(Array(start..<min(start + 50, Self.ids.upperBound + 1))))
        }
        checks.append(.cells(cellNames))
    }

    mutating func check(_ check: Check) -> (Action, Body, [Bytes]) {
        switch check {
        case .cells(let names):
            let (_, body, bulk) = read(names)
            return (.check(check), body, bulk)
        case .points(let ids):
            let (_, body, bulk) = retrieve(ids)
            return (.check(check), body, bulk)
        case .scroll(let from, _):
            return (
                .check(check),
                .scroll(
                    Scroll(collection: Self.collection, from: from, limit: 17, withVector: true)),
                []
            )
        case .count: return (.check(check), .count(Count(collection: Self.collection)), [])
        case .search(let id):
            let (_, body, bulk) = search(for: id, isExact: true)
            return (.check(check), body, bulk)
        }
    }

    mutating func judge(_ check: Check, _ message: Message, _ request: UInt64) {
        switch (check, message.body) {
        case (.cells(let names), .cells):
            judge(cells: names, message.bulk[0], request)
        case (.points(let ids), .points(let answer)):
            if answer.isDegraded { return incomplete(check) }
            judge(retrieved: ids, answer, message.bulk, request)
            for id in message.bulk[0].values(PointID.self) { found[id] = true }
        case (.scroll(let from, let seen), .points(let answer)):
            judge(scroll: answer, message.bulk, from: from, seen: seen, check)
        case (.count, .acknowledged(let answer)):
            if Int(answer.count) != found.count {
                violation = "the count is \(answer.count), but \(found.count) points are there"
            }
        case (.search(let id), .matches(let answer)):
            if answer.isDegraded { return incomplete(check) }
            judge(
                search: id, points[id]!.possible.first!, true, 0..<Self.groups, answer, message.bulk
            )
        default: violation = "an answer of the wrong kind: \(message.body)"
        }
    }

    private mutating func incomplete(_ check: Check) {
        degraded += 1
        checks.append(check)
    }

    private mutating func judge(
        scroll answer: PointsAnswer, _ bulk: [Bytes], from: PointID, seen: Int, _ check: Check
    ) {
        if answer.isDegraded { return incomplete(check) }
        let ids = bulk[0].values(PointID.self)
        if ids != ids.sorted() || Set(ids).count != ids.count || ids.contains(where: { $0 < from })
        {
            violation = "a page of the scroll is out of order"
        }
        if let stranger = ids.first(where: { found[$0] == nil }) {
            violation = "the scroll shows point \(stranger), which a retrieve does not"
        }
        let total = seen + ids.count
        if answer.hasMore, let last = ids.last {
            checks.append(.scroll(from: last + 1, seen: total))
        } else if total != found.count {
            violation = "the scroll shows \(total) points, but \(found.count) are there"
        }
    }
}
