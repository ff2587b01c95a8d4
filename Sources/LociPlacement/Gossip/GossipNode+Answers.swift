import LociBase

/// The steps of an exchange after its first.
extension GossipNode {
    typealias Messages = [(to: UInt64, message: GossipMessage)]

    /// Answers a digest with what is held in the leaves that differ: whole leaves, from a random
    /// one on, until the message is full.
    mutating func answer(
        digest: [UInt64], _ number: UInt64, from peer: UInt64, at now: Instant
    ) -> Messages {
        guard GossipTable.isFineness(digest.count), peer != node else {
            counts.nonsense += 1
            return []
        }
        let own = table.digest(fineness: digest.count)
        let width = GossipTable.leafCount / digest.count
        let differing = (0..<GossipTable.leafCount).filter { own[$0 / width] != digest[$0 / width] }
        if differing.isEmpty { return [] }
        guard exchanges.admitDigest(of: peer) else {
            counts.overBudget += 1
            return []
        }
        var size = GossipMessage.stampsBytes
        let room = room(for: peer)
        let start = random.below(differing.count)
        var leaves: [Int] = []
        for leaf in differing[start...] + differing[..<start] {
            size += 1 + table.leaves[leaf].count * GossipMessage.stampBytes
            if size > room { break }
            leaves.append(leaf)
        }
        guard !leaves.isEmpty else {
            counts.overBudget += 1
            return []
        }
        leaves.sort()
        var stamps: [GossipStamp] = []
        stamps.reserveCapacity(leaves.reduce(0) { $0 + table.leaves[$1].count })
        for leaf in leaves {
            for held in table.leaves[leaf] where held.expiry > now {
                stamps.append(
                    GossipStamp(
                        key: held.key, version: held.rank.version, check: held.rank.check,
                        timeToLive: held.expiry.microseconds(since: now)))
            }
        }
        var messages: Messages = []
        send(
            .stamps(
                echo: number, number: exchanges.open(.delta, with: peer, at: now, &random),
                leaves: leaves.map { UInt8($0) }, stamps: stamps),
            to: peer, &messages)
        return messages
    }

    /// Answers stamps with what is newer here, and asks for what is newer there.
    mutating func answer(
        _ stamps: [GossipStamp], in leaves: [UInt8], _ number: UInt64, from peer: UInt64,
        asked: Instant, at now: Instant
    ) -> Messages {
        guard let (newerHere, newerThere) = compare(stamps, in: leaves) else {
            counts.nonsense += 1
            return []
        }
        let soon = now.advanced(microseconds: limits.leastTimeToLive)
        var room = room(for: peer) - GossipMessage.deltaBytes
        var wanted: [GossipKey] = []
        for stamp in rotated(newerThere) where room >= 4 * GossipMessage.keyBytes {
            let life = min(stamp.timeToLive, limits.timeToLiveAtMost)
            let expiry = asked.advanced(microseconds: life)
            guard expiry >= soon, mayPublish(stamp.key.origin),
                table.hasRoom(for: stamp.key, stamp.rank, expiry: expiry)
            else { continue }
            wanted.append(stamp.key)
            room -= GossipMessage.keyBytes
        }
        let entries = fitting(rotated(newerHere), &room, soon, at: now)
        if wanted.isEmpty && entries.isEmpty { return [] }
        let next =
            wanted.isEmpty ? 0 : exchanges.open(.delta, with: peer, at: now, &random)
        var messages: Messages = []
        send(
            .delta(echo: number, number: next, entries: entries, wanted: wanted), to: peer,
            &messages)
        return messages
    }

    /// Joins the stamps with the table, leaf by leaf; nil if they are not in the order that they
    /// must be in.
    private func compare(
        _ stamps: [GossipStamp], in leaves: [UInt8]
    ) -> (newerHere: [GossipTable.Held], newerThere: [GossipStamp])? {
        var here: [GossipTable.Held] = []
        var there: [GossipStamp] = []
        var next = 0
        for leaf in leaves {
            var last: GossipKey?
            var index = 0
            let held = table.leaves[Int(leaf)]
            while next < stamps.count, stamps[next].key.leaf == Int(leaf) {
                let stamp = stamps[next]
                if let last, !(last < stamp.key) { return nil }
                last = stamp.key
                next += 1
                while index < held.count, held[index].key < stamp.key {
                    here.append(held[index])
                    index += 1
                }
                guard index < held.count, held[index].key == stamp.key else {
                    there.append(stamp)
                    continue
                }
                if stamp.rank < held[index].rank { here.append(held[index]) }
                if held[index].rank < stamp.rank { there.append(stamp) }
                index += 1
            }
            here += held[index...]
        }
        return next == stamps.count ? (here, there) : nil
    }

    mutating func answer(
        wanted: [GossipKey], _ number: UInt64, from peer: UInt64, at now: Instant
    ) -> Messages {
        if wanted.isEmpty { return [] }
        var room = room(for: peer) - GossipMessage.deltaBytes
        let soon = now.advanced(microseconds: limits.leastTimeToLive)
        let entries = fitting(wanted.compactMap { table[$0] }, &room, soon, at: now)
        if entries.isEmpty { return [] }
        var messages: Messages = []
        send(.delta(echo: number, number: 0, entries: entries, wanted: []), to: peer, &messages)
        return messages
    }

    /// As many as there is room for, of those with life enough to be of use.
    private func fitting(
        _ held: [GossipTable.Held], _ room: inout Int, _ soon: Instant, at now: Instant
    ) -> [GossipEntry] {
        var entries: [GossipEntry] = []
        for held in held where held.expiry >= soon {
            let size = GossipMessage.entryBytes + held.payload.count
            guard size <= room else { break }
            room -= size
            entries.append(Self.entry(held, at: now))
        }
        return entries
    }

    /// From a random place on, so that what a peer will not take does not stand before the rest.
    private mutating func rotated<Element>(_ list: [Element]) -> [Element] {
        guard list.count > 1 else { return list }
        let start = random.below(list.count)
        return Array(list[start...] + list[..<start])
    }

    private func mayPublish(_ origin: UInt64) -> Bool {
        origin == node || origins?.contains(origin) ?? true
    }

    /// Takes in an entry that was asked for at `asked`: its life is counted from then.
    mutating func takeIn(_ entry: GossipEntry, asked: Instant, at now: Instant) {
        guard entry.version <= GossipEntry.versionAtMost, mayPublish(entry.origin),
            entry.payload.count <= GossipEntry.payloadBytesAtMost
        else {
            counts.nonsense += 1
            return
        }
        let life = min(entry.timeToLive, limits.timeToLiveAtMost)
        let expiry = asked.advanced(microseconds: life)
        guard expiry > now else {
            counts.expired += 1
            return
        }
        if entry.origin == node, let own = table[entry.key], own.isOwn {
            refute(entry, own)
            return
        }
        let held = GossipTable.Held(
            key: entry.key, rank: entry.rank, payload: entry.payload, expiry: expiry,
            isOwn: false, isNews: true)
        switch table.merge(held) {
        case .taken: counts.taken += 1
        case .old: counts.stale += 1
        case .refused: counts.refused += 1
        }
    }

    /// Somebody claims to know better what this node published: it says it again, louder.
    private mutating func refute(_ entry: GossipEntry, _ own: GossipTable.Held) {
        guard own.rank < entry.rank else {
            counts.stale += 1
            return
        }
        counts.nonsense += 1
        let claimed = GossipTable.Held(
            key: own.key, rank: entry.rank, payload: own.payload, expiry: own.expiry, isOwn: true,
            isNews: false)
        publish(own.key, own.payload, expiry: own.expiry, above: claimed)
    }
}
