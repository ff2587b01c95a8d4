import LociBase
import LociModel
import LociPrefetch

/// Predictors of the reads of fields, one for each field that is read a few pages at a time, and
/// the runs of those that are read in long ranges.
///
/// Invariants:
/// - At most `mostFields` predictors of 0.3 MB each. One that was not used for `patience` reads
///   gives way to another field; where there is none, that field's reads teach nothing.
/// - A read of many scattered pages teaches nothing: who reads so knows what it wants, and can say
///   so.
struct FieldStreams: Sendable {
    static let mostFields = 16
    /// Pages of a read from which its stream is learned page by page.
    static let mostPages = 4
    static let patience: UInt64 = 4096

    private struct Stream: Sendable {
        var predictor: StreamPredictor
        var runs = RangeRuns()
        var lastUse: UInt64 = 0
    }

    private var streams: [SpaceID: Stream] = [:]
    private var uses: UInt64 = 0
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    /// A page of a field was read, alone or with few others. Appends those that are worth fetching
    /// now.
    mutating func observe(
        page: UInt64, of space: SpaceID, session: UInt64, wasResident: Bool,
        into predictions: inout [UInt64]
    ) {
        guard use(space) else { return }
        streams[space]!.predictor.observe(
            page, session: session, wasResident: wasResident, into: &predictions)
    }

    /// A range of pages of a field was read at once. The range that is expected next, if any.
    mutating func observe(pages: Range<UInt64>, of space: SpaceID) -> Range<UInt64>? {
        guard use(space) else { return nil }
        return streams[space]!.runs.observe(pages)
    }

    /// What became of a page that was fetched because of what was predicted here.
    mutating func note(_ outcome: PrefetchOutcome, page: UInt64, of space: SpaceID) {
        streams[space]?.predictor.note(outcome, of: page)
    }

    /// Whether the field has a predictor; it has from now on if there is room for one.
    private mutating func use(_ space: SpaceID) -> Bool {
        uses += 1
        if streams[space] == nil {
            if streams.count >= Self.mostFields {
                let oldest = streams.min { $0.value.lastUse < $1.value.lastUse }!
                guard oldest.value.lastUse + Self.patience < uses else { return false }
                streams[oldest.key] = nil
            }
            streams[space] = Stream(predictor: StreamPredictor(seed: seed ^ UInt64(space)))
        }
        streams[space]!.lastUse = uses
        return true
    }
}

/// Scans that read long ranges one after the other: each range that begins where another ended
/// goes on with its run, and a run of three is expected to go on.
///
/// Invariants:
/// - At most `most` runs; the one that went on longest ago gives way.
struct RangeRuns: Sendable {
    private struct Run: Sendable {
        var end: UInt64
        var ranges: Int
        var lastUse: UInt64
    }

    private static let most = 16
    private static let confirmed = 3

    private var runs: [Run] = []
    private var uses: UInt64 = 0

    mutating func observe(_ pages: Range<UInt64>) -> Range<UInt64>? {
        uses += 1
        // Ranges of cells may share the page at which one ends and the next begins.
        let found = runs.firstIndex {
            $0.end == pages.lowerBound || $0.end == pages.lowerBound + 1
        }
        guard let found else {
            if runs.count == Self.most {
                runs.remove(at: runs.indices.min { runs[$0].lastUse < runs[$1].lastUse }!)
            }
            runs.append(Run(end: pages.upperBound, ranges: 1, lastUse: uses))
            return nil
        }
        runs[found].end = pages.upperBound
        runs[found].ranges += 1
        runs[found].lastUse = uses
        guard runs[found].ranges >= Self.confirmed else { return nil }
        return pages.upperBound..<(pages.upperBound + UInt64(pages.count))
    }
}

extension FieldGeometry {
    /// The different pages of cells, in their order; nil if they are more than
    /// `FieldStreams.mostPages`. Of a range only the ends are looked at, of others a division for
    /// each cell is the cost.
    func fewPages(of cells: [CellIndex], isRange: Bool) -> [UInt64]? {
        if isRange, let first = cells.first, let last = cells.last {
            let pages = page(of: first)...page(of: last)
            return pages.count <= FieldStreams.mostPages ? Array(pages) : nil
        }
        var pages: [UInt64] = []
        for cell in cells {
            let page = page(of: cell)
            if page == pages.last || pages.contains(page) { continue }
            if pages.count == FieldStreams.mostPages { return nil }
            pages.append(page)
        }
        return pages
    }
}
