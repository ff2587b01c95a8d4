public import LociBase

/// For the ids that hash to a partition: which partitions may hold the point. A point's vector
/// decides where it lives, so somebody has to remember where an id went.
///
/// Invariants:
/// - While a point is stored, its entry names every partition with a copy, and perhaps more: an
///   interrupted mutation leaves the old and the new ones.
/// - An entry is open from a claim until the same mutation settles it. One that stays open was
///   interrupted, and somebody has to mend it.
/// - `sequence` is that of the last claim; late messages of earlier mutations change nothing.
public struct Directory: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        var sequence: UInt64
        /// The first two partitions; most points have no more.
        private var first: UInt16 = 0
        private var second: UInt16 = 0
        private var count: UInt8
        var isOpen: Bool
        private var others: [UInt16]?

        init(sequence: UInt64, targets: [UInt16], isOpen: Bool) {
            self.sequence = sequence
            self.isOpen = isOpen
            count = 0
            self.targets = targets
        }

        var targets: [UInt16] {
            get {
                switch count {
                case 0: []
                case 1: [first]
                case 2: [first, second]
                default: others ?? []
                }
            }
            set {
                count = UInt8(min(newValue.count, 3))
                first = newValue.first ?? 0
                second = newValue.count > 1 ? newValue[1] : 0
                others = newValue.count > 2 ? newValue : nil
            }
        }
    }

    private var entries: [PointID: Entry] = [:]
    private var open: Set<PointID> = []

    public init() {}

    public var count: Int { entries.count }

    /// Of a dictionary that is two thirds full.
    var memoryBytes: Int {
        entries.count * (MemoryLayout<PointID>.stride + MemoryLayout<Entry>.stride) * 3 / 2
    }

    public func targets(of id: PointID) -> [UInt16] { entries[id]?.targets ?? [] }

    /// Adds partitions; none, for a deletion, only notes the sequence of an entry that exists.
    public mutating func claim(_ id: PointID, targets: [UInt16], sequence: UInt64) {
        guard var entry = entries[id] else {
            if targets.isEmpty { return }
            entries[id] = Entry(sequence: sequence, targets: targets, isOpen: true)
            open.insert(id)
            return
        }
        guard entry.sequence <= sequence else { return }
        entry.sequence = sequence
        entry.isOpen = true
        open.insert(id)
        for target in targets where !entry.targets.contains(target) {
            entry.targets.append(target)
        }
        entries[id] = entry
    }

    /// Names exactly the partitions that hold the point; none forgets it.
    public mutating func settle(_ id: PointID, targets: [UInt16], sequence: UInt64) {
        guard let entry = entries[id], entry.sequence == sequence else { return }
        open.remove(id)
        entries[id] =
            targets.isEmpty ? nil : Entry(sequence: sequence, targets: targets, isOpen: false)
    }

    /// Ids whose mutation has a number below the fence, so is over, but did not settle them.
    public func interrupted(before fence: UInt64, limit: Int) -> [PointID] {
        if open.isEmpty { return [] }
        return Array(open.filter { entries[$0]!.sequence < fence }.sorted().prefix(limit))
    }

    /// The partition whose directory knows an id.
    public static func partition(of id: PointID, partitions: Int) -> PartitionIndex {
        PartitionIndex(mix64(id) % UInt64(partitions))
    }

    func write(to writer: inout ByteWriter) {
        writer.write(UInt64(entries.count))
        for id in entries.keys.sorted() {
            let entry = entries[id]!
            writer.write(id)
            writer.write(entry.sequence)
            writer.write(array: entry.targets)
            writer.write(entry.isOpen)
        }
    }

    init(from reader: inout ByteReader) throws(TruncatedBytes) {
        for _ in 0..<(try reader.read(UInt64.self)) {
            let id: PointID = try reader.read()
            let sequence: UInt64 = try reader.read()
            let entry = Entry(
                sequence: sequence, targets: try reader.readArray(), isOpen: try reader.readBool())
            entries[id] = entry
            if entry.isOpen { open.insert(id) }
        }
    }
}
