import LociBase
import LociTiering

/// The memory of a trial: which pages are resident, and which of them were prefetched and not
/// used yet. Pages are numbered; those that are predicted and never requested get numbers too.
struct TrialMemory {
    enum Use {
        case absent, firstAfterPrefetch, again
    }

    private var numbers: [UInt64: Int32]
    private var keys: [UInt64]
    private var slotOfPage: [Int32]
    private var pageInSlot: [Int32] = []
    private var isUntouched: [Bool]
    private var policy: any EvictionPolicy
    private let capacity: Int

    init(keys: [UInt64], capacity: Int, policy: EvictionKind, seed: UInt64) {
        self.keys = keys
        numbers = Dictionary(
            uniqueKeysWithValues: keys.enumerated().map { ($1, Int32($0)) })
        slotOfPage = Array(repeating: -1, count: keys.count)
        isUntouched = Array(repeating: false, count: keys.count)
        self.policy = policy.make(capacity: capacity, seed: seed)
        self.capacity = capacity
    }

    func key(of page: Int32) -> UInt64 { keys[Int(page)] }

    func contains(_ page: Int32) -> Bool { slotOfPage[Int(page)] >= 0 }

    mutating func number(of key: UInt64) -> Int32 {
        if let number = numbers[key] { return number }
        let number = Int32(keys.count)
        numbers[key] = number
        keys.append(key)
        slotOfPage.append(-1)
        isUntouched.append(false)
        return number
    }

    mutating func use(_ page: Int32) -> Use {
        let slot = slotOfPage[Int(page)]
        guard slot >= 0 else { return .absent }
        if isUntouched[Int(page)] {
            isUntouched[Int(page)] = false
            return .firstAfterPrefetch
        }
        policy.touch(slot)
        return .again
    }

    /// A page that is not resident comes. The page that left for it, if that was prefetched and
    /// never used.
    mutating func insert(_ page: Int32, isPrefetched: Bool) -> Int32? {
        precondition(slotOfPage[Int(page)] < 0, "a page comes once")
        var slot = Int32(pageInSlot.count)
        var wasted: Int32?
        if pageInSlot.count < capacity {
            pageInSlot.append(page)
        } else {
            guard let victim = policy.victim() else {
                preconditionFailure("no page is pinned, and none could leave")
            }
            slot = victim
            let former = pageInSlot[Int(slot)]
            slotOfPage[Int(former)] = -1
            if isUntouched[Int(former)] { wasted = former }
            isUntouched[Int(former)] = false
            pageInSlot[Int(slot)] = page
        }
        slotOfPage[Int(page)] = slot
        isUntouched[Int(page)] = isPrefetched
        policy.insert(slot, key: mix64(keys[Int(page)]))
        return wasted
    }
}
