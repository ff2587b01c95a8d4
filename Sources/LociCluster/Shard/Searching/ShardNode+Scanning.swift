import LociBase
import LociKernels
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Scanning the codes of postings.
extension ShardNode {
    /// Plans over a posting that keeps growing end after so many rounds that had to wait: what was
    /// acknowledged before the query came has been seen long before.
    private static let mostPlans = 8

    /// Scans the pages that are held, and those that are in memory. Returns those that are needed
    /// next; none when everything is scanned, or when the task has failed.
    /// - Parameter view: The search's partitions.
    mutating func scan(
        _ search: inout SearchTask, _ view: [CollectionSlice], _ task: inout PageTask
    ) -> [PageNeed] {
        // Taken out of the search, so that it changes where it is.
        let isNew = search.scan == nil
        var scan = search.scan ?? newScan(search, view)
        search.scan = nil
        defer { search.scan = scan }
        let started = stopwatch()
        defer { task.receipt.scoringMicroseconds += stopwatch().microseconds(since: started) }
        if isNew { chooseWholePartitions(&search, &scan, view) }
        for asked in scan.asked {
            // A page that was not to be asked for is left out, and the receipt says so.
            guard let page = task.held[asked.run.address] else { continue }
            Self.scan(asked, page, &scan, search, view)
        }
        scan.asked = []
        // Within an event nothing changes, so that one look at the postings is enough.
        var isComplete = false
        while true {
            scanResident(&scan, search, view, &task)
            if !scan.asked.isEmpty {
                return scan.asked.map {
                    PageNeed(address: $0.run.address, pageBytes: search.definition.codePageBytes)
                }
            }
            // Once payloads are looked at, no more candidates come.
            if isComplete || scan.unverified != nil { break }
            if !plan(&scan, search, view) { break }
            isComplete = true
        }
        if search.filter != nil {
            let needs = verify(&scan, search, view, &task)
            if !needs.isEmpty || task.isPausing { return needs }
        }
        task.receipt.wholePartitions = UInt32(search.wholePartitions.count)
        task.receipt.partitions = scan.partitions + task.receipt.wholePartitions
        task.receipt.locationsActive = UInt32(scan.scanned.count)
        task.receipt.codesScanned = scan.scanner.codesScanned
        return []
    }

    static func index(of partition: PartitionIndex, _ view: [CollectionSlice]) -> Int {
        for index in view.indices where view[index].partition == partition { return index }
        preconditionFailure("not a partition that the search looks at")
    }

    private func newScan(_ search: SearchTask, _ view: [CollectionSlice]) -> CodeScanning {
        let coder = view[0].coder
        var bound = view[0].standardBound
        var margin: Float = 0
        switch search.purpose {
        case .query(let query): if query.bound > 0 { bound = query.bound }
        case .completion(let step):
            bound = 2 * bound
            margin = negligible(beta: step.beta, search)
        }
        return CodeScanning(
            scanner: PostingScanner(
                search.definition, coder: coder, vector: search.vector, bound: bound),
            candidates: CandidateSet(k: search.k, margin: margin))
    }

    /// Makes points that changed before they were compared candidates again, as they are now.
    func takeUp(_ changed: [ChangedPoint], _ search: inout SearchTask) {
        guard var scan = search.scan else { return }
        scan.candidates = CandidateSet(k: search.k)
        scan.unverified = nil
        scan.changed = []
        for point in changed {
            guard let slice = workers[point.partition]?.state.slices[search.space],
                let cell = slice.points.cell(of: point.id),
                Self.filterPlan(&scan, search, slice)?.cells?.contains(cell) ?? true
            else { continue }
            scan.candidates.insert(
                Candidate(
                    partition: point.partition, cell: cell, id: point.id,
                    version: slice.points[cell].version, estimate: 0, lower: -.infinity),
                upper: .infinity, isCertain: false)
        }
        search.scan = scan
    }

    /// What lies so much farther than the nearest point weighs too little to matter, even if all
    /// points here do.
    private func negligible(beta: Float, _ search: SearchTask) -> Float {
        let points = slices(of: search.space).reduce(1) { $0 + $1.points.count }
        let exponent = 20 + Float(points.bitWidth - points.leadingZeroBitCount) * 0.7
        // Codes estimate squared distances, of which similarities are minus the half, or inner
        // products.
        return (search.definition.metric == .dot ? 1 : 2) * exponent / beta
    }

    /// Looks for postings, and rows of them, that were not scanned yet. False if there are none.
    private func plan(
        _ scan: inout CodeScanning, _ search: SearchTask, _ view: [CollectionSlice]
    ) -> Bool {
        scan.plans += 1
        let keys = locations(of: search, view)
        var new: [(posting: Posting, firstRow: Int)] = []
        var newKeys: [LocationKey] = []
        var before = scan.scanned[...]
        scan.scanned = []
        scan.scanned.reserveCapacity(keys.count)
        for key in keys {
            while let known = before.first, known.key < key {
                scan.scanned.append(before.removeFirst())
            }
            let scanned = before.first?.key == key ? before.removeFirst() : nil
            let index = Self.index(of: key.partition, view)
            let posting = view[index].postings[key.location]!
            if let scanned, scanned.rows == posting.rows || scan.plans > Self.mostPlans {
                scan.scanned.append(scanned)
                continue
            }
            scan.scanned.append(CodeScanning.Scanned(key: key, rows: posting.rows))
            new.append((posting, scanned?.rows ?? 0))
            newKeys.append(key)
        }
        scan.scanned += before
        if new.isEmpty { return false }
        let origins = Self.origins(of: newKeys, scan.scanner, view)
        // The nearest posting first: it tightens the threshold for the others.
        let order = new.indices.sorted {
            (origins[$0].distance, newKeys[$0]) < (origins[$1].distance, newKeys[$1])
        }
        // A posting fills three or four pages.
        var runs: [CodeScanning.Run] = []
        runs.reserveCapacity(4 * new.count)
        for number in order {
            let (key, origin) = (newKeys[number], origins[number])
            view[Self.index(of: key.partition, view)].geometry.forEachRun(
                of: new[number].posting, from: new[number].firstRow
            ) { runs.append(CodeScanning.Run(key: key, origin: origin, run: $0)) }
        }
        runs.reverse()
        scan.pending = runs
        return !runs.isEmpty
    }

    /// Of hard locations that are here, in the order of their partitions.
    private static func origins(
        of keys: [LocationKey], _ scanner: PostingScanner, _ view: [CollectionSlice]
    ) -> [CodeOrigin] {
        var origins: [CodeOrigin] = []
        origins.reserveCapacity(keys.count)
        while origins.count < keys.count {
            let partition = keys[origins.count].partition
            let here = Array(keys[origins.count...].prefix { $0.partition == partition })
            let index = index(of: partition, view)
            origins += scanner.origins(of: here, in: view.span[index].locations).map { $0! }
        }
        return origins
    }

    /// Scans those of the pending runs whose pages are in memory, and asks for the others, as many
    /// as fit a round.
    private mutating func scanResident(
        _ scan: inout CodeScanning, _ search: SearchTask, _ view: [CollectionSlice],
        _ task: inout PageTask
    ) {
        let pageBytes = search.definition.codePageBytes
        let most = max(1, roundBytes / pageBytes)
        var found: [Bytes?] = []
        while scan.asked.count < most, !scan.pending.isEmpty {
            let count = min(Self.runsAtOnce, most - scan.asked.count)
            let runs = Array(scan.pending.suffix(count).reversed())
            scan.pending.removeLast(runs.count)
            pages.use(
                runs.map { PageNeed(address: $0.run.address, pageBytes: pageBytes) }, into: &found)
            // One behind, so that the next page is on its way while this one is scanned.
            var next: Int?
            for (number, page) in found.enumerated() {
                guard let page else {
                    scan.asked.append(runs[number])
                    continue
                }
                task.noteUse(of: page)
                scan.scanner.fetch(runs[number].run, page: page)
                if let next { Self.scan(runs[next], found[next]!, &scan, search, view) }
                next = number
            }
            if let next { Self.scan(runs[next], found[next]!, &scan, search, view) }
        }
    }

    /// Pages that are looked up together.
    private static let runsAtOnce = 64

    private static func scan(
        _ run: CodeScanning.Run, _ page: Bytes, _ scan: inout CodeScanning, _ search: SearchTask,
        _ view: [CollectionSlice]
    ) {
        // A posting that was rewritten meanwhile is found in the next plan, as its heirs.
        guard let index = view.firstIndex(where: { $0.partition == run.key.partition }),
            view[index].postings[run.key.location] != nil
        else { return }
        let filter =
            search.filter == nil ? nil : filterPlan(&scan, search, view[index])
        scan.scanner.scan(
            run.run, run.origin, page: page, points: view[index].points,
            at: run.key, allowed: filter?.cells,
            isCertain: filter?.isExact ?? true, into: &scan.candidates)
    }

    /// What the partition's indexes say of the filter, asked again after a change.
    static func filterPlan(
        _ scan: inout CodeScanning, _ search: SearchTask, _ slice: CollectionSlice
    ) -> FilterPlan? {
        guard let filter = search.filter else { return nil }
        if let known = scan.filters[slice.partition], known.revision == slice.revision {
            return known.plan
        }
        let plan = FilterPlan(filter, slice.indexes)
        scan.filters[slice.partition] = PartitionFilter(revision: slice.revision, plan: plan)
        return plan
    }

    // MARK: Filters that need payloads

    /// Points whose payloads are looked at in one round.
    private static let verifiedAtOnce = 64

    /// Looks at the payloads of candidates whose indexes do not say whether the filter holds, the
    /// nearest first, until no other can be among the k nearest. Returns the pages it needs.
    private func verify(
        _ scan: inout CodeScanning, _ search: SearchTask, _ view: [CollectionSlice],
        _ task: inout PageTask
    ) -> [PageNeed] {
        guard let filter = search.filter, scan.filters.values.contains(where: { !$0.plan.isExact })
        else { return [] }
        if scan.unverified == nil {
            let candidates = scan.candidates
            scan.unverified = candidates.candidates.sorted { $0.lower > $1.lower }
            scan.candidates = CandidateSet(k: candidates.k, margin: candidates.margin)
        }
        for round in 0... {
            takePayloads(&scan, filter, view, task.held)
            let needs = nextPayloads(&scan, view)
            if !needs.isEmpty { return needs.sorted { $0.address < $1.address } }
            if scan.verifying.isEmpty { break }
            // None of these has a payload.
            if round == Self.roundsBetweenPauses {
                task.isPausing = true
                break
            }
        }
        return []
    }

    /// Rounds that need no page after which others have their turn.
    private static let roundsBetweenPauses = 256

    private func takePayloads(
        _ scan: inout CodeScanning, _ filter: Filter, _ view: [CollectionSlice],
        _ held: [PageAddress: Bytes]
    ) {
        scan.verified += UInt64(scan.verifying.count)
        for candidate in scan.verifying {
            guard let slice = unchanged(candidate, view) else {
                scan.changed.append(
                    ChangedPoint(partition: candidate.partition, id: candidate.id))
                continue
            }
            guard let payload = slice.payload(of: slice.points[candidate.cell], in: held),
                filter.matches(payload: payload)
            else { continue }
            let upper = 2 * candidate.estimate - candidate.lower
            scan.candidates.insert(candidate, upper: upper)
        }
        scan.verifying = []
    }

    private func nextPayloads(
        _ scan: inout CodeScanning, _ view: [CollectionSlice]
    ) -> Set<PageNeed> {
        var needs: Set<PageNeed> = []
        while scan.verifying.count < Self.verifiedAtOnce, let next = scan.unverified!.popLast() {
            guard next.lower <= scan.candidates.threshold else {
                scan.unverified = []
                break
            }
            guard let slice = unchanged(next, view) else {
                scan.changed.append(ChangedPoint(partition: next.partition, id: next.id))
                continue
            }
            scan.verifying.append(next)
            needs.formUnion(slice.payloadNeeds(of: slice.points[next.cell]))
        }
        return needs
    }

    /// The slice of a candidate whose point is what it was when it was found.
    private func unchanged(
        _ candidate: Candidate, _ view: [CollectionSlice]
    ) -> CollectionSlice? {
        guard let slice = view.first(where: { $0.partition == candidate.partition }),
            slice.points[candidate.cell].version == candidate.version,
            slice.points[candidate.cell].isLive
        else { return nil }
        return slice
    }
}

extension FilterPlan {
    /// The cells that may match; nil for all.
    var cells: CellSet? {
        switch self {
        case .cells(let cells), .within(let cells, _): cells
        case .payload: nil
        }
    }

    /// Whether no payload has to be looked at.
    var isExact: Bool {
        if case .cells = self { true } else { false }
    }
}
