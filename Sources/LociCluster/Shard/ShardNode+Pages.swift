import LociBase
import LociModel
import LociStorage
import LociTiering
import LociWire

/// Tasks and their pages: asking for rounds, waiting, going on.
extension ShardNode {
    /// Bytes of pages that a task asks for at once, if it can choose: several fit the budget.
    var roundBytes: Int { min(4 << 20, pages.budgetBytes / 8) }

    /// Takes on a task; it runs at once if all its pages are here.
    mutating func begin(
        _ kind: PageTask.Kind, slowest: Tier = .object, into directives: inout [ShardDirective]
    ) {
        let task = PageTask(kind, slowest: slowest)
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
        _ address: PageAddress, _ result: Result<PageArrival, LociError>,
        into directives: inout [ShardDirective]
    ) {
        let time = stopwatch()
        switch result {
        case .success(.loaded(let bytes, let tier)):
            let (current, waiters) = pages.arrived(address, bytes)
            prefetching.arrived(address, hadWaiters: !waiters.isEmpty, at: now, &pages)
            for waiter in waiters {
                tell(waiter, into: &directives) {
                    $0.take(
                        address, current, from: tier, hasJoined: waiter.hasJoined, at: time)
                }
            }
        case .success(.beyond(let tier)):
            let (waiters, again) = pages.beyond(address, tier)
            if let (need, slowest) = again {
                directives.append(.load([PageRequest(need, slowest: slowest)]))
            }
            for waiter in waiters {
                tell(waiter, into: &directives) { $0.miss(address, in: tier) }
            }
            if !pages.isLoading(address) { prefetching.missed(address, at: now, &pages) }
        case .success(.dropped): missed(address, into: &directives)
        case .failure(let error):
            prefetching.failed(address, at: now)
            for waiter in pages.failed(address) {
                tell(waiter, into: &directives) {
                    $0.missing -= 1
                    $0.failure = $0.failure ?? error
                }
            }
        }
        commitAll(into: &directives)
    }

    private mutating func tell(
        _ waiter: PageWaiter, into directives: inout [ShardDirective],
        _ change: (inout PageTask) -> Void
    ) {
        guard var task = tasks.removeValue(forKey: waiter.number) else { return }
        change(&task)
        if task.missing > 0 {
            tasks[waiter.number] = task
        } else {
            task.endWait()
            advance(task, number: waiter.number, into: &directives)
        }
    }

    /// Lets those go on who wait for room, as far as there is some.
    mutating func admitWaiting(into directives: inout [ShardDirective]) {
        var isAnyAdmitted = false
        while let number = pages.firstWaiting {
            guard var task = tasks[number] else {
                pages.withdrawFirst()
                continue
            }
            if let asker = task.asker, asker.expires <= now {
                pages.withdrawFirst()
                tasks[number] = nil
                fail(task, PageTask.expired, into: &directives)
                continue
            }
            guard let round = pages.admitFirst() else { break }
            isAnyAdmitted = true
            tasks[number] = nil
            if start(round, &task, number, into: &directives) {
                advance(task, number: number, into: &directives)
            }
        }
        if isAnyAdmitted { commitAll(into: &directives) }
    }

    /// Lets a task run until it is done or lacks pages.
    private mutating func advance(
        _ started: PageTask, number: UInt64, into directives: inout [ShardDirective]
    ) {
        var task = started
        while true {
            if task.failure == nil, let asker = task.asker, asker.expires <= now {
                task.failure = PageTask.expired
            }
            if let failure = task.failure {
                fail(task, failure, into: &directives)
                break
            }
            let needed = run(&task, into: &directives)
            // What it failed by while it ran comes before what it lacks.
            if task.failure != nil { continue }
            if task.isPausing {
                pause(&task, number)
                return
            }
            if needed.isEmpty { break }
            task.beginRound(at: stopwatch())
            pages.noteRelease()
            switch pages.request(needed, slowest: task.slowest, for: number) {
            case .admitted(let round):
                guard start(round, &task, number, into: &directives) else { return }
            case .waits:
                tasks[number] = task
                return
            case .tooLarge(let neededBytes): task.failure = tooLarge(neededBytes)
            }
        }
        pages.noteRelease()
    }

    private mutating func pause(_ task: inout PageTask, _ number: UInt64) {
        task.isPausing = false
        task.beginRound(at: stopwatch())
        tasks[number] = task
        paused.append(number)
        pages.noteRelease()
    }

    /// Whether there is something to go on with as soon as the node is woken.
    public var isUnfinished: Bool { !paused.isEmpty || !applying.isEmpty }

    /// Lets the task go on that has paused longest.
    mutating func resumePaused(into directives: inout [ShardDirective]) {
        guard !paused.isEmpty else { return }
        let number = paused.removeFirst()
        guard let task = tasks.removeValue(forKey: number) else { return }
        advance(task, number: number, into: &directives)
        commitAll(into: &directives)
    }

    /// Gives a task its round. True if all its pages are here.
    private mutating func start(
        _ round: PageRound, _ task: inout PageTask, _ number: UInt64,
        into directives: inout [ShardDirective]
    ) -> Bool {
        task.take(round)
        if !round.loads.isEmpty {
            directives.append(
                .load(round.loads.map { PageRequest($0, slowest: task.slowest) }))
        }
        if !round.hastened.isEmpty { directives.append(.hasten(round.hastened)) }
        if task.missing == 0 { return true }
        tasks[number] = task
        return false
    }

    /// Runs a task as far as its pages go. Returns the pages that it lacks, all of a round; none if
    /// it is done. It gives up those that it holds.
    private mutating func run(
        _ task: inout PageTask, into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        let needs: [PageNeed]
        switch task.kind {
        case .cells(var cells):
            task.kind = .running
            needs = run(&cells, &task, into: &directives)
            task.kind = .cells(cells)
        case .search(var search):
            task.kind = .running
            needs = run(&search, &task, into: &directives)
            task.kind = .search(search)
        case .points(var points):
            task.kind = .running
            needs = run(&points, &task, into: &directives)
            task.kind = .points(points)
        case .memoryRead(var read):
            task.kind = .running
            needs = run(&read, &task, into: &directives)
            task.kind = .memoryRead(read)
        case .memoryWrite(var write):
            task.kind = .running
            needs = run(&write, &task, into: &directives)
            task.kind = .memoryWrite(write)
        case .rewrite(var rewrite):
            task.kind = .running
            needs = run(&rewrite, &task)
            task.kind = .rewrite(rewrite)
        case .reassign(var reassign):
            task.kind = .running
            needs = run(&reassign, &task)
            task.kind = .reassign(reassign)
        case .running: preconditionFailure("a task runs once at a time")
        }
        return needs
    }

    private mutating func fail(
        _ task: PageTask, _ error: LociError, into directives: inout [ShardDirective]
    ) {
        if let asker = task.asker { refuse(asker, error, into: &directives) }
        if case .rewrite(let rewrite) = task.kind {
            workers[rewrite.partition]?.endRewrite(rewrite.key)
        }
        if case .memoryWrite(let write) = task.kind {
            memoryWriteFailed(write.askers, error, write.partition, into: &directives)
        }
    }

    private func tooLarge(_ neededBytes: Int) -> LociError {
        LociError(
            .resourceExhausted,
            "The request needs \(neededBytes) bytes of pages at once; the dram tier of shard "
                + "\(settings.shard) has \(pages.budgetBytes).",
            advice: "Raise the capacity of the dram tier in the cluster file, or ask for less.")
    }
}

extension PageRequest {
    init(_ need: PageNeed, slowest: Tier) {
        self.init(address: need.address, pageBytes: need.pageBytes, slowest: slowest)
    }
}
