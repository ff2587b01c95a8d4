/// Pages of dram that are not the eviction policy's: those that are kept until their first use, and
/// those that are the first to leave.
///
/// Invariants:
/// - A slot is in at most one of the queues, and in none if it is the policy's.
/// - `keptBytes` are the bytes of what is kept, for each source.
struct SetAside: Sendable {
    /// Where a page stands, and what there is to say of it.
    struct Standing: Equatable, Sendable {
        enum Place: Equatable, Sendable {
            /// With the eviction policy, as most.
            case usual
            case kept(PrefetchSource)
            case leaving
        }

        var place = Place.usual
        /// Who had it fetched, until its first use.
        var unproven: PrefetchSource?
        /// It came up from far memory, and goes back there unused.
        var isFromFar = false

        /// Most pages, in one byte of zeros.
        fileprivate var mark: UInt8 {
            let place: UInt8 =
                switch self.place {
                case .usual: 0
                case .kept(let source): source.rawValue + 1
                case .leaving: 4
                }
            return place | (unproven.map { $0.rawValue + 1 } ?? 0) << 3 | (isFromFar ? 32 : 0)
        }

        fileprivate init(mark: UInt8) {
            place =
                switch mark & 7 {
                case 0: .usual
                case 4: .leaving
                default: .kept(PrefetchSource(rawValue: mark & 7 - 1)!)
                }
            let source = mark >> 3 & 3
            unproven = source == 0 ? nil : PrefetchSource(rawValue: source - 1)
            isFromFar = mark & 32 != 0
        }

        init() {}
    }

    private var marks: [UInt8] = []
    private var links = SlotLinks(capacity: 1)
    private var kept = [SlotQueue](repeating: SlotQueue(), count: PrefetchSource.allCases.count)
    private var leaving = SlotQueue()
    private(set) var keptBytes = [Int](repeating: 0, count: PrefetchSource.allCases.count)

    func isUsual(_ slot: Int32) -> Bool {
        Int(slot) >= marks.count || marks[Int(slot)] & 7 == 0
    }

    subscript(slot: Int32) -> Standing {
        Int(slot) < marks.count ? Standing(mark: marks[Int(slot)]) : Standing()
    }

    /// Gives a page of so many bytes another place.
    mutating func move(_ slot: Int32, _ byteCount: Int, to standing: Standing) {
        switch self[slot].place {
        case .usual: break
        case .kept(let source):
            links.unlink(slot, from: &kept[Int(source.rawValue)])
            keptBytes[Int(source.rawValue)] -= byteCount
        case .leaving: links.unlink(slot, from: &leaving)
        }
        switch standing.place {
        case .usual: break
        case .kept(let source):
            links.push(slot, onto: &kept[Int(source.rawValue)])
            keptBytes[Int(source.rawValue)] += byteCount
        case .leaving: links.push(slot, onto: &leaving)
        }
        let mark = standing.mark
        if Int(slot) >= marks.count {
            if mark == 0 { return }
            let missing = max(Int(slot) + 1, 2 * marks.count) - marks.count
            marks.append(contentsOf: repeatElement(0, count: missing))
        }
        marks[Int(slot)] = mark
    }

    /// Of those that leave first, the one that has done so longest.
    mutating func firstLeaving(where isFree: (Int32) -> Bool) -> Int32? {
        links.oldest(of: &leaving, where: isFree)
    }

    /// The page that was kept first.
    func oldestKept(for source: PrefetchSource) -> Int32? {
        let slot = kept[Int(source.rawValue)].oldest
        return slot == SlotLinks.none ? nil : slot
    }

    /// What is kept for the slightest reason: guesses before hints before what was announced; the
    /// oldest guess, as it has had its time, and what was announced last, as it is needed last.
    mutating func leastKept(where isFree: (Int32) -> Bool) -> Int32? {
        for source in [PrefetchSource.guessed, .hinted] {
            let slot = links.oldest(of: &kept[Int(source.rawValue)], where: isFree)
            if let slot { return slot }
        }
        var slot = kept[Int(PrefetchSource.told.rawValue)].newest
        while slot != SlotLinks.none, !isFree(slot) { slot = links.older(than: slot) }
        return slot == SlotLinks.none ? nil : slot
    }
}
