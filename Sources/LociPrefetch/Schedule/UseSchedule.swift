public import LociBase

/// Moves objects between a fast tier and a slow one when their next uses are known, as those of
/// periodic streams are (after TierTrain: Swaminathan et al., ISMM 2025): out right after a use,
/// back just before the next. Decides only; its caller moves bytes and says when they are there.
///
/// Which objects stay. Keeping an object from one use to the next saves one transfer and takes
/// room for that long. Room that is not needed for transfers is shared out evenly over time: of
/// the bytes that are used, the share stays that fits (error diffusion), so that the link has as
/// much to do at any time as at any other. Where the link is the bottleneck, this is what makes it
/// busy all the time; keeping the first objects that fit would leave it idle while they are used.
/// An object also stays if moving it out and back would take longer than its next use is away.
///
/// When objects return. Promotions begin in the order of next uses, each at its next use less the
/// time of its own transfer, of those that may be ahead of it, and a margin.
///
/// Invariants:
/// - Bytes that are on their way are at most `mostBytesInFlight`, but for an object larger than
///   that, which travels alone, and for demanded objects, which do not wait.
/// - Bytes that are fast or on their way are at most the capacity, but for demanded objects.
/// - Demotions take no bandwidth: objects are clean, their copy in the slow tier stays.
/// - At most `mostObjects` are known; more are refused.
public struct UseSchedule: Sendable {
    public struct Options: Sendable {
        /// Room in the fast tier.
        public var capacityBytes: UInt64
        /// Of the link from the slow tier to the fast one.
        public var bytesPerSecond: UInt64
        public var mostBytesInFlight: UInt64
        public var marginMicroseconds: UInt64 = 0
        public var mostObjects = 1 << 20

        public init(capacityBytes: UInt64, bytesPerSecond: UInt64, mostBytesInFlight: UInt64) {
            self.capacityBytes = capacityBytes
            self.bytesPerSecond = bytesPerSecond
            self.mostBytesInFlight = mostBytesInFlight
        }
    }

    public enum Action: Equatable, Sendable {
        /// Begin to bring it to the fast tier; say `arrived` when it is there.
        case promote(UInt64)
        /// Drop it from the fast tier.
        case demote(UInt64)
    }

    private enum Place: Sendable { case slow, coming, fast }

    private struct Object: Sendable {
        var bytes: UInt64
        var nextUse: Instant
        var place = Place.slow
        /// Whether it stays until its next use though there was time to move it.
        var isKept = false
    }

    public let options: Options
    private var objects: [UInt64: Object] = [:]
    private var queue = DeadlineQueue()
    private var knownBytes: UInt64 = 0
    private var keptBytes: UInt64 = 0
    /// Error of the diffusion: bytes by which too few were kept.
    private var owedBytes = 0.0
    /// Fast or on their way.
    public private(set) var occupiedBytes: UInt64 = 0
    public private(set) var bytesInFlight: UInt64 = 0

    public init(_ options: Options) {
        precondition(
            options.bytesPerSecond > 0 && options.mostBytesInFlight > 0
                && options.capacityBytes >= options.mostBytesInFlight,
            "a link moves something, and what is on its way fits")
        self.options = options
    }

    public var objectCount: Int { objects.count }

    /// Objects wait in the fast tier for their use, and travel; this much room is left to them.
    private var transferBytes: UInt64 {
        min(options.capacityBytes, options.mostBytesInFlight &* 4)
    }

    private var keepLimit: UInt64 { options.capacityBytes - transferBytes }

    // MARK: - What is known

    /// An object is in the slow tier and will be used. False: there are too many objects.
    public mutating func expect(_ object: UInt64, bytes: UInt64, at nextUse: Instant) -> Bool {
        precondition(bytes > 0, "an object has a size")
        precondition(objects[object] == nil, "an object is expected once; then it is used")
        guard objects.count < options.mostObjects else { return false }
        objects[object] = Object(bytes: bytes, nextUse: nextUse)
        knownBytes += bytes
        enqueue(object)
        return true
    }

    /// Whether the object is in the fast tier.
    public func isFast(_ object: UInt64) -> Bool { objects[object]?.place == .fast }

    /// The object is needed now and not there. True: begin to bring it at once, before all others;
    /// false: it is on its way, or there.
    public mutating func demand(_ object: UInt64) -> Bool {
        guard var known = objects[object], known.place == .slow else { return false }
        known.place = .coming
        objects[object] = known
        occupiedBytes += known.bytes
        bytesInFlight += known.bytes
        return true
    }

    public mutating func arrived(_ object: UInt64) {
        guard var known = objects[object], known.place == .coming else { return }
        known.place = .fast
        objects[object] = known
        bytesInFlight -= known.bytes
    }

    /// The object, which is fast, was used, and when it will be next; nil: never, and it is
    /// forgotten. Returns whether it leaves the fast tier now.
    public mutating func used(_ object: UInt64, nextUse: Instant?, now: Instant) -> Action? {
        guard var known = objects[object] else { return nil }
        precondition(known.place == .fast, "what is used is fast")
        if known.isKept { keptBytes -= known.bytes }
        known.isKept = false
        guard let nextUse else {
            objects[object] = nil
            knownBytes -= known.bytes
            occupiedBytes -= known.bytes
            return .demote(object)
        }
        known.nextUse = nextUse
        let isSoon = start(known.bytes, nextUse).nanoseconds <= now.nanoseconds
        if isSoon || keeps(known.bytes) {
            // Soon ones pass through the room for transfers; they take no share of the rest.
            known.isKept = !isSoon
            if !isSoon { keptBytes += known.bytes }
            objects[object] = known
            return nil
        }
        known.place = .slow
        objects[object] = known
        occupiedBytes -= known.bytes
        enqueue(object)
        return .demote(object)
    }

    /// Entries of objects that were demanded meanwhile are dropped when they are too many.
    private mutating func enqueue(_ object: UInt64) {
        if queue.count > 2 * objects.count + 64 {
            queue.removeAll()
            for (other, known) in objects where known.place == .slow && other != object {
                queue.insert(other, at: start(known.bytes, known.nextUse), use: known.nextUse)
            }
        }
        guard let known = objects[object] else { return }
        queue.insert(object, at: start(known.bytes, known.nextUse), use: known.nextUse)
    }

    /// Whether the next bytes to be used stay, by diffusion.
    private mutating func keeps(_ bytes: UInt64) -> Bool {
        owedBytes += Double(bytes) * min(1, Double(keepLimit) / Double(knownBytes))
        guard owedBytes >= Double(bytes), keptBytes + bytes <= keepLimit else {
            // What could not be kept for want of room is not owed for ever.
            owedBytes = min(owedBytes, Double(bytes) * 2)
            return false
        }
        owedBytes -= Double(bytes)
        return true
    }

    // MARK: - When to move

    /// Promotions that are due. Ask again at `nextDue`, after an arrival and after a use.
    public mutating func due(now: Instant, into actions: inout [Action]) {
        while let next = queue.first, next.start <= now {
            guard let known = objects[next.object], known.place == .slow,
                known.nextUse == next.use
            else {
                queue.removeFirst()
                continue
            }
            guard hasRoom(known.bytes) else { return }
            queue.removeFirst()
            actions.append(.promote(next.object))
            _ = demand(next.object)
        }
    }

    /// When the next promotion is due; nil if none is, or if it waits for room.
    public func nextDue(now: Instant) -> Instant? {
        guard let first = queue.first, first.start > now else { return nil }
        return first.start
    }

    private func hasRoom(_ bytes: UInt64) -> Bool {
        let isAlone = bytesInFlight == 0
        return (isAlone || bytesInFlight + bytes <= options.mostBytesInFlight)
            && occupiedBytes + bytes <= options.capacityBytes
    }

    /// When to begin at the latest, if all that may be ahead on the link is.
    private func start(_ bytes: UInt64, _ nextUse: Instant) -> Instant {
        let bytesBefore = Double(bytes) + Double(transferBytes)
        let lead =
            bytesBefore / Double(options.bytesPerSecond) * 1e9
            + Double(options.marginMicroseconds) * 1000
        let nanoseconds = Double(nextUse.nanoseconds)
        return lead >= nanoseconds
            ? .zero : Instant(nanoseconds: nextUse.nanoseconds - UInt64(lead))
    }
}
