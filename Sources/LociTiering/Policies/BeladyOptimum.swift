/// The most hits that any policy could have: when there is no room, the page whose next use is
/// farthest leaves (Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
/// Systems Journal 1966). It has to know the future, so it is a yardstick.
extension AccessTrace {
    /// - Parameter capacity: pages that fit, at least 1.
    public func optimalHitRatio(capacity: Int) -> HitRatio {
        precondition(capacity > 0, "a memory holds at least one page")
        let nextUse = timesOfNextUse()
        // Resident pages, by the time of their next use; it is a different one for each.
        var resident = TimeSet(limit: requests.count + keys.count)
        var residentCount = 0
        var hits = 0
        for (time, next) in nextUse.enumerated() {
            if resident.remove(time) {
                hits += 1
            } else if residentCount == capacity {
                resident.removeLatest()
            } else {
                residentCount += 1
            }
            resident.insert(next)
        }
        return HitRatio(hits: hits, requests: requests.count)
    }

    /// For each request, when its key is requested next; a key that never is gets a time of its
    /// own after the end.
    private func timesOfNextUse() -> [Int] {
        var upcoming = keys.indices.map { requests.count + $0 }
        var nextUse = [Int](repeating: 0, count: requests.count)
        for time in requests.indices.reversed() {
            let key = Int(requests[time])
            nextUse[time] = upcoming[key]
            upcoming[key] = time
        }
        return nextUse
    }
}

/// A set of times that finds its latest fast: a bit for each time, above it a bit for each word of
/// bits that is not zero, and so on.
private struct TimeSet {
    private var levels: [[UInt64]]

    init(limit: Int) {
        levels = []
        var count = limit
        repeat {
            count = (count + 63) / 64
            levels.append(Array(repeating: 0, count: max(count, 1)))
        } while count > 1
    }

    mutating func insert(_ time: Int) {
        var index = time
        for level in levels.indices {
            levels[level][index / 64] |= 1 << UInt64(index % 64)
            index /= 64
        }
    }

    /// Whether the time was in the set.
    mutating func remove(_ time: Int) -> Bool {
        guard levels[0][time / 64] >> UInt64(time % 64) & 1 == 1 else { return false }
        var index = time
        for level in levels.indices {
            levels[level][index / 64] &= ~(1 << UInt64(index % 64))
            if levels[level][index / 64] != 0 { break }
            index /= 64
        }
        return true
    }

    /// The set must not be empty.
    mutating func removeLatest() {
        var index = 0
        for level in levels.indices.reversed() {
            index = index * 64 + 63 - levels[level][index].leadingZeroBitCount
        }
        _ = remove(index)
    }
}
