/// Finds runs of pages a constant step apart, several at once and interleaved with others: scans
/// forwards and backwards, columns of a matrix, several readers of one file.
///
/// - A run is confirmed by two equal steps in a row. Steps are taken modulo 2^64, any but 0.
/// - A page belongs to the run that expected it; else to the nearest run within `reach`, whose
///   step it changes unless the run is confirmed; else it begins a run. The first guess of a
///   new run's step is the distance from the nearest run, or from the page before if none is
///   near, so that steps longer than the reach are found in streams that stand alone.
/// - There are a fixed number of runs. A new one replaces the one that was silent longest, an
///   unconfirmed one first.
public struct StrideDetector: Sendable {
    /// A run that a page belongs to.
    public struct Run: Equatable, Sendable {
        /// From one page to the next, modulo 2^64.
        public let step: UInt64
        /// How often the step was seen in a row; two or more confirm it.
        public let length: Int

        public var isConfirmed: Bool { length >= StrideDetector.confirmation }
    }

    public static let confirmation = 2
    private static let longest: UInt32 = 1 << 16

    private struct Stream {
        var last: UInt64
        var step: UInt64
        var length: UInt32
        var time: UInt32
    }

    private var streams: [Stream] = []
    private let limit: Int
    private let reach: UInt64
    private var previous: UInt64?
    private var time: UInt32 = 0

    /// - Parameters:
    ///   - streams: runs followed at once.
    ///   - reach: how far from its last page a run is still taken for the same when its step
    ///     changes.
    public init(streams: Int = 16, reach: UInt64 = 64) {
        precondition(streams > 0, "a detector follows at least one run")
        limit = streams
        self.reach = reach
        self.streams.reserveCapacity(streams)
    }

    public var memoryBytes: Int { limit * MemoryLayout<Stream>.stride }

    /// A page was asked for. The run that it belongs to; nil if none has a step yet, or if it is
    /// the page of the time before.
    public mutating func observe(_ page: UInt64) -> Run? {
        guard page != previous else { return nil }
        let before = previous
        previous = page
        time &+= 1
        let place = place(of: page, after: before)
        let stream = streams[place]
        return stream.length == 0 ? nil : Run(step: stream.step, length: Int(stream.length))
    }

    /// The run that the page belongs to, after it went on or began.
    private mutating func place(of page: UInt64, after before: UInt64?) -> Int {
        var nearest = -1
        var least = reach
        for index in streams.indices {
            let stream = streams[index]
            if stream.last &+ stream.step == page, stream.length > 0 {
                streams[index].length = min(stream.length + 1, Self.longest)
                streams[index].last = page
                streams[index].time = time
                return index
            }
            let distance = min(page &- stream.last, stream.last &- page)
            if distance <= least {
                least = distance
                nearest = index
            }
        }
        guard nearest >= 0 else { return begin(at: page, after: before) }
        let last = streams[nearest].last
        if least > 0, streams[nearest].length >= UInt32(Self.confirmation) {
            return begin(at: page, after: last)
        }
        streams[nearest].time = time
        // A page that its run has just read says nothing about the step.
        guard least > 0 else { return nearest }
        streams[nearest].step = page &- last
        streams[nearest].last = page
        streams[nearest].length = 1
        return nearest
    }

    private mutating func begin(at page: UInt64, after before: UInt64?) -> Int {
        let stream = Stream(
            last: page, step: before.map { page &- $0 } ?? 0, length: before == nil ? 0 : 1,
            time: time)
        if streams.count < limit {
            streams.append(stream)
            return streams.count - 1
        }
        var place = 0
        var worst: UInt64 = 0
        for index in streams.indices {
            let isUnconfirmed = streams[index].length < UInt32(Self.confirmation)
            let age = UInt64(time &- streams[index].time) + (isUnconfirmed ? 1 << 32 : 0)
            if age > worst {
                worst = age
                place = index
            }
        }
        streams[place] = stream
        return place
    }
}
