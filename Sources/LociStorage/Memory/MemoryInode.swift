import LociBase

/// A file's content in memory, as its readers see it and as a loss of power would leave it.
///
/// Invariants:
/// - `durable` and `pending`, applied in order, give `live`, unless a sync failed in between.
/// - `touched` holds all blocks in which `durable` and `live` may differ.
struct MemoryInode: Sendable {
    enum Change: Sendable {
        case write(Bytes, offset: UInt64)
        case resize(UInt64)
        case punch(offset: UInt64, count: UInt64)
    }

    /// Open handles.
    var handles = 0
    private(set) var live = SparseContent()
    private var durable = SparseContent()
    private var pending: [Change] = []
    private var touched: Set<UInt64> = []

    mutating func apply(_ change: Change) {
        note(change)
        Self.apply(change, to: &live)
        pending.append(change)
    }

    /// Bytes of further space that a change takes.
    func growth(by change: Change) -> UInt64 {
        guard case .write(let bytes, let offset) = change else { return 0 }
        var blocks = 0
        SparseContent.forEachBlock(of: offset, count: UInt64(bytes.count)) { block, _, _ in
            if live.blocks[block] == nil { blocks += 1 }
        }
        return UInt64(blocks * SparseContent.blockBytes)
    }

    mutating func sync() {
        durable.adopt(touched, from: live)
        forgetPending()
    }

    /// What a failed sync does: readers still see the changes, some of them became durable, and no
    /// later sync saves the others.
    mutating func failSync(using random: inout SeededRandom) {
        durable = survivor(using: &random)
        forgetPending()
    }

    /// A loss of power: each change since the last sync survives or not, a write perhaps only in
    /// its first sectors.
    mutating func crash(using random: inout SeededRandom) {
        durable = survivor(using: &random)
        live = durable
        forgetPending()
    }

    private func survivor(using random: inout SeededRandom) -> SparseContent {
        var survivor = durable
        for change in pending where random.chance(0.5) {
            var change = change
            if case .write(let bytes, let offset) = change, random.chance(0.5) {
                let torn = (offset + UInt64(random.below(bytes.count))) / Self.sectorBytes
                let kept = max(torn * Self.sectorBytes, offset) - offset
                change = .write(bytes.slice(0..<Int(kept)), offset: offset)
            }
            Self.apply(change, to: &survivor)
        }
        return survivor
    }

    private mutating func forgetPending() {
        pending = []
        touched = []
    }

    private static let sectorBytes: UInt64 = 512

    private mutating func note(_ change: Change) {
        switch change {
        case .write(let bytes, let offset):
            SparseContent.forEachBlock(of: offset, count: UInt64(bytes.count)) { block, _, _ in
                touched.insert(block)
            }
        case .resize(let size):
            if size < live.size {
                touched.formUnion(live.blocksWritten(in: size, count: live.size - size))
            }
        case .punch(let offset, let count):
            touched.formUnion(live.blocksWritten(in: offset, count: count))
        }
    }

    private static func apply(_ change: Change, to content: inout SparseContent) {
        switch change {
        case .write(let bytes, let offset): if !bytes.isEmpty { content.write(bytes, at: offset) }
        case .resize(let size): content.resize(to: size)
        case .punch(let offset, let count): content.punch(at: offset, count: count)
        }
    }
}
