import LociBase
import LociModel
import LociTiering
import LociWire

/// A request that needs pages: it waits, as a value, until all are in memory.
///
/// Invariants:
/// - `held` pages stay valid while the task holds them, whatever the cache evicts.
/// - `missing` pages are on their way; each arrival or failure takes one off.
struct PageTask: Sendable {
    var kind: Kind
    var held: [PageAddress: Bytes] = [:]
    var missing = 0
    var failure: LociError?
    var receipt = Receipt()
    var rounds = 0

    enum Kind: Sendable {
        case cells(CellsTask)
        case search(SearchTask)
        case points(PointsTask)
        /// With the posting's stamp when its pages were planned.
        case split(PartitionIndex, PartitionWorker.SplitKey, stamp: UInt64)
    }

    var asker: Asker? {
        switch kind {
        case .cells(let task): task.asker
        case .search(let task): task.asker
        case .points(let task): task.asker
        case .split: nil
        }
    }

    /// Plans change while pages are on their way; a request that has been planned so often is up
    /// against more memory pressure than it can win.
    static let mostRounds = 32
}

extension ShardNode {
    /// Takes on a task; it runs at once if all its pages are here.
    mutating func begin(
        _ kind: PageTask.Kind, into directives: inout [ShardDirective]
    ) {
        let task = PageTask(kind: kind)
        if let asker = task.asker, tasks.count >= Limits.requestsInFlight {
            return refuse(
                asker,
                LociError(
                    .resourceExhausted,
                    "Shard \(settings.shard) works on \(tasks.count) requests already.",
                    advice: "Send fewer at once, or try again later."), into: &directives)
        }
        nextTask += 1
        advance(task, number: nextTask, into: &directives)
    }

    mutating func pageArrived(
        _ address: PageAddress, _ result: Result<Bytes, LociError>,
        into directives: inout [ShardDirective]
    ) {
        let waiters: [UInt64]
        var arrived: Bytes?
        var failure: LociError?
        switch result {
        case .success(let bytes):
            let (current, waiting) = pages.arrived(address, bytes)
            arrived = current
            waiters = waiting
        case .failure(let error):
            failure = error
            waiters = pages.failed(address)
        }
        for waiter in waiters {
            guard var task = tasks.removeValue(forKey: waiter) else { continue }
            task.missing -= 1
            if let arrived {
                task.held[address] = arrived
                task.receipt.bytesRead += UInt64(arrived.count)
                task.receipt.tiers[.ssd].bytes += UInt64(arrived.count)
            }
            task.failure = task.failure ?? failure
            if task.missing > 0 {
                tasks[waiter] = task
            } else {
                advance(task, number: waiter, into: &directives)
            }
        }
        commitAll(into: &directives)
    }

    /// Lets a task run until it is done or lacks pages.
    private mutating func advance(
        _ started: PageTask, number: UInt64, into directives: inout [ShardDirective]
    ) {
        var task = started
        while true {
            if let failure = task.failure {
                return fail(task, failure, into: &directives)
            }
            if let asker = task.asker, asker.expires <= now {
                return fail(task, Self.expired, into: &directives)
            }
            let needed = run(&task, into: &directives)
            if needed.isEmpty { return }
            task.rounds += 1
            if task.rounds > PageTask.mostRounds {
                return fail(task, Self.overwhelmed, into: &directives)
            }
            request(needed, &task, number, into: &directives)
            if task.missing > 0 {
                tasks[number] = task
                return
            }
        }
    }

    /// Runs a task as far as its pages go. Returns the pages that it lacks; none if it is done.
    private mutating func run(
        _ task: inout PageTask, into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        switch task.kind {
        case .cells(let cells): return run(cells, &task, into: &directives)
        case .search(let search): return run(search, &task, into: &directives)
        case .points(let points): return run(points, &task, into: &directives)
        case .split(let partition, let key, let stamp):
            return run(split: key, partition, stamp, &task)
        }
    }

    private mutating func request(
        _ needed: [PageNeed], _ task: inout PageTask, _ number: UInt64,
        into directives: inout [ShardDirective]
    ) {
        for need in needed {
            task.receipt.pagesTouched += 1
            switch pages.request(need.address, for: number) {
            case .resident(let bytes):
                task.receipt.tiers[.dram].hits += 1
                task.receipt.tiers[.dram].bytes += UInt64(bytes.count)
                task.held[need.address] = bytes
            case .onItsWay:
                task.missing += 1
                task.receipt.tiers[.ssd].soft += 1
            case .absent:
                task.missing += 1
                task.receipt.tiers[.ssd].hard += 1
                directives.append(.load(need.address, pageBytes: need.pageBytes))
            }
        }
    }

    private mutating func fail(
        _ task: PageTask, _ error: LociError, into directives: inout [ShardDirective]
    ) {
        if let asker = task.asker { refuse(asker, error, into: &directives) }
        if case .split(let partition, let key, _) = task.kind {
            workers[partition]?.splits[key] = nil
        }
    }

    private static let expired = LociError(
        .deadlineExceeded, "The request's time was up before its pages were there.",
        advice: "Allow more time with --deadline.")

    private static let overwhelmed = LociError(
        .resourceExhausted, "The pages of this request did not stay in memory long enough.",
        advice: "Give the dram tier more capacity, or send fewer requests at once.")
}

/// A page that a task lacks.
struct PageNeed: Sendable {
    let address: PageAddress
    let pageBytes: Int
}
