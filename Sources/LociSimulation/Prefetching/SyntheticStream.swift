import Glibc
import LociBase

/// Streams of pages to try predictors on, made from a seed. The first eight are those that the
/// predecessor of this project was measured on.
public enum SyntheticStream: String, CaseIterable, Sendable {
    case sequential
    case cycleOf4 = "cycle of 4"
    case cycleOf100 = "cycle of 100"
    case stride7 = "stride 7 mod 4096"
    case uniform = "uniform random of 1000"
    case zipf = "Zipf 1.1 of 1000"
    /// Every page has one successor; it comes with probability .9, else any page does.
    case markov = "Markov p=.9 of 1000"
    case randomWalk = "random walk +-1"

    /// Six scans at places far apart, of which any goes on.
    case interleavedScans = "interleaved scans"
    case reversedScans = "reversed scans"
    /// Columns of a matrix of 1,000 rows of 200 pages.
    case columns
    /// Zipf's requests, interrupted by scans of 200 pages.
    case zipfAndScans = "Zipf and scans"
    /// A loop over 5,000 pages in a fixed order without pattern.
    case shuffledLoop = "shuffled loop"
    /// Eight sessions at a time, each along one of 300 paths of 20 pages.
    case sessions
    /// Another kind of stream every 2,500 requests.
    case phases
    /// Runs of up to four pages at places without order: what deep prefetching gets wrong.
    case shortRuns = "short runs"
    /// Uniform over 2^40 pages: nothing comes twice.
    case noise

    public static let predecessors: [SyntheticStream] = [
        .sequential, .cycleOf4, .cycleOf100, .stride7, .uniform, .zipf, .markov, .randomWalk,
    ]

    public func keys(count: Int, seed: UInt64) -> [UInt64] {
        var random = SeededRandom(seed: seed)
        return pages(count, &random)
    }

    private func pages(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        switch self {
        case .sequential: return (0..<count).map { UInt64($0) }
        case .cycleOf4: return (0..<count).map { UInt64($0 % 4) }
        case .cycleOf100: return (0..<count).map { UInt64($0 % 100) }
        case .stride7: return (0..<count).map { UInt64($0 * 7 % 4096) }
        case .uniform: return (0..<count).map { _ in random.next() % 1000 }
        case .noise: return (0..<count).map { _ in random.next() >> 24 }
        case .reversedScans: return (0..<count).map { UInt64(5000 - $0 % 5000) }
        case .columns:
            return (0..<count).map { number in
                let (row, column) = (number % 1000, number / 1000 % 200)
                return UInt64(row * 200 + column)
            }
        case .zipf: return Self.zipf(count, of: 1000, &random)
        case .markov: return Self.markov(count, of: 1000, &random)
        case .randomWalk: return Self.walk(count, &random)
        case .interleavedScans: return Self.scans(count, &random)
        case .zipfAndScans: return Self.zipfAndScans(count, &random)
        case .shuffledLoop:
            let order = (0..<UInt64(5000)).shuffled(using: &random)
            return (0..<count).map { order[$0 % order.count] << 8 }
        case .sessions: return Self.sessions(count, &random)
        case .phases: return Self.phases(count, &random)
        case .shortRuns: return Self.shortRuns(count, &random)
        }
    }

    private static func zipf(
        _ count: Int, of pages: Int, _ random: inout SeededRandom
    ) -> [UInt64] {
        var sum = 0.0
        let shares = (1...pages).map { rank in
            sum += pow(Double(rank), -1.1)
            return sum
        }
        return (0..<count).map { _ in
            let point = random.unit() * sum
            var (low, high) = (0, pages - 1)
            while low < high {
                let middle = (low + high) / 2
                if shares[middle] < point { low = middle + 1 } else { high = middle }
            }
            return UInt64(low)
        }
    }

    private static func markov(
        _ count: Int, of pages: Int, _ random: inout SeededRandom
    ) -> [UInt64] {
        let successors = (0..<pages).map { _ in random.below(pages) }
        var page = 0
        return (0..<count).map { _ in
            page = random.chance(0.9) ? successors[page] : random.below(pages)
            return UInt64(page)
        }
    }

    private static func walk(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        var page: UInt64 = 1 << 32
        return (0..<count).map { _ in
            page = random.chance(0.5) ? page + 1 : page - 1
            return page
        }
    }

    private static func scans(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        var places = (0..<6).map { UInt64($0) << 32 }
        return (0..<count).map { _ in
            let scan = random.below(places.count)
            places[scan] += 1
            return places[scan]
        }
    }

    private static func zipfAndScans(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        var pages: [UInt64] = []
        var place: UInt64 = 1 << 32
        while pages.count < count {
            pages += zipf(800, of: 10_000, &random).map { mix64($0) >> 20 }
            pages += (place..<(place + 200))
            place += 100_000
        }
        return Array(pages.prefix(count))
    }

    private static func sessions(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        let paths = (0..<300).map { _ in (0..<20).map { _ in random.next() >> 30 } }
        var open = (0..<8).map { _ in (path: random.below(paths.count), step: 0) }
        return (0..<count).map { _ in
            let session = random.below(open.count)
            let page = paths[open[session].path][open[session].step]
            open[session].step += 1
            if open[session].step == 20 { open[session] = (random.below(paths.count), 0) }
            return page
        }
    }

    private static func phases(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        let kinds: [SyntheticStream] = [
            .sequential, .noise, .markov, .uniform, .cycleOf100, .reversedScans, .shortRuns,
        ]
        var pages: [UInt64] = []
        while pages.count < count {
            let kind = kinds[pages.count / 2500 % kinds.count]
            let base = UInt64(pages.count) << 42
            pages += kind.pages(2500, &random).map { $0 &+ base }
        }
        return Array(pages.prefix(count))
    }

    private static func shortRuns(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        var pages: [UInt64] = []
        while pages.count < count {
            let start = random.next() >> 24
            pages += (start...(start + UInt64(random.below(4))))
        }
        return Array(pages.prefix(count))
    }
}
