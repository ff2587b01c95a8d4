import LociBase
import LociModel
import LociPrefetch
import LociTiering
import LociWire

/// What a shard expects to be read next, by what was read before.
struct ShardGuesses: Sendable {
    /// Time in which a guessed page has to be asked for.
    static let lifetimeMilliseconds: UInt64 = 2000
    /// Pages of a range that one read lets expect.
    static let mostOfRange: UInt64 = 64

    var streams: FieldStreams
    /// Of the fields that were read; worked out anew when the catalog has changed.
    var pages: [SpaceID: ShardPages] = [:]
    var catalogVersion: UInt64 = 0
    var predictions: [UInt64] = []

    init(seed: UInt64) { streams = FieldStreams(seed: seed) }
}

/// A page of a read, as it was when the read came.
struct WatchedPage: Sendable {
    let number: UInt64
    let wasResident: Bool
}

/// What a read teaches.
enum WatchedRead: Sendable {
    /// It touched few pages.
    case pages([WatchedPage])
    /// It was of neighbouring cells.
    case range(Range<UInt64>)
}

extension ShardNode {
    /// Looks at a read before it is carried out. Nil if it teaches nothing.
    mutating func watch(_ cells: [CellIndex], _ field: IndexedField) -> WatchedRead? {
        guard guesses != nil, let first = cells.first, let last = cells.last else { return nil }
        let numbering = numbering(of: field)
        let isRange = last >= first && last - first == UInt64(cells.count) - 1
        guard let few = field.geometry.fewPages(of: cells, isRange: isRange) else {
            // Many pages: of interest if they follow each other.
            guard isRange,
                let start = numbering.number(of: field.geometry.place(of: first).address),
                let end = numbering.number(of: field.geometry.place(of: last).address),
                start <= end
            else { return nil }
            return .range(start..<(end + 1))
        }
        let watched = few.compactMap { page -> WatchedPage? in
            let address = field.geometry.address(ofPage: page)
            return numbering.number(of: address).map {
                WatchedPage(number: $0, wasResident: pages.isInDram(address))
            }
        }
        return .pages(watched)
    }

    private mutating func numbering(of field: IndexedField) -> ShardPages {
        let version = catalogVersion
        if guesses!.catalogVersion != version {
            guesses!.catalogVersion = version
            guesses!.pages = [:]
        }
        let space = field.definition.space
        if let known = guesses!.pages[space] { return known }
        let numbering = ShardPages(field, partitions: Array(workers.keys))
        guesses!.pages[space] = numbering
        return numbering
    }

    /// Learns from a read that is under way or done, and has what it lets expect fetched.
    mutating func guess(
        after read: WatchedRead?, of field: IndexedField, session: UInt64,
        into directives: inout [ShardDirective]
    ) {
        guard guesses != nil, let read else { return }
        let space = field.definition.space
        var predictions: [UInt64] = []
        swap(&predictions, &guesses!.predictions)
        predictions.removeAll(keepingCapacity: true)
        switch read {
        case .pages(let watched):
            for page in watched {
                guesses!.streams.observe(
                    page: page.number, of: space, session: session,
                    wasResident: page.wasResident, into: &predictions)
            }
        case .range(let range):
            if let next = guesses!.streams.observe(pages: range, of: space) {
                predictions += next.prefix(Int(ShardGuesses.mostOfRange))
            }
        }
        if !predictions.isEmpty, let numbering = guesses!.pages[space] {
            let needs = predictions.compactMap { number in
                numbering.address(of: number).map {
                    PageNeed(address: $0, pageBytes: field.geometry.pageBytes)
                }
            }
            suggest(
                needs, source: .guessed,
                until: now.advanced(milliseconds: ShardGuesses.lifetimeMilliseconds),
                into: &directives)
        }
        swap(&predictions, &guesses!.predictions)
    }

    /// What became of a page that was guessed.
    mutating func note(_ outcome: PrefetchOutcome, of address: PageAddress) {
        guard let number = guesses?.pages[address.space]?.number(of: address) else { return }
        guesses!.streams.note(outcome, page: number, of: address.space)
    }

    /// Others expect pages to be needed here. What is not ours, or not a page, is passed over.
    mutating func take(
        _ hint: Hint, _ bulk: [Bytes], into directives: inout [ShardDirective]
    ) {
        let lifetime = min(hint.timeToLiveMicroseconds, Self.longestHintMicroseconds)
        let needs = PageHint.decoded(bulk[0]).compactMap { hint -> PageNeed? in
            guard let field = try? indexedField(space: hint.space, identity: 0),
                hint.page < field.definition.pageCount
            else { return nil }
            let address = field.geometry.address(ofPage: hint.page)
            guard workers[address.partition] != nil else { return nil }
            return PageNeed(address: address, pageBytes: field.geometry.pageBytes)
        }
        suggest(
            needs, source: .hinted, until: now.advanced(microseconds: lifetime),
            into: &directives)
    }

    /// Whatever a hint says of itself.
    private static let longestHintMicroseconds: UInt64 = 10_000_000
}
