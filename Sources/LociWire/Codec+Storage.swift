import CWire
import LociBase
import LociModel

// Questions and answers about storage as a whole, as protobuf-c lays them out: field for field.

extension Residency {
    init(_ layout: Loci__Residency) throws(LociError) {
        unsafe self.init(
            field: try String(decoded: layout.field), partition: layout.partition,
            extent: layout.extent)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Residency> {
        unsafe arena.place(
            Loci__Residency(
                base: ProtobufCMessage(), field: arena.bytes(field), partition: partition,
                extent: extent),
            loci__residency__init)
    }
}

extension ShardResidency {
    init(_ layout: Loci__ShardResidency) {
        unsafe self.init(space: layout.space, partition: layout.partition, extent: layout.extent)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardResidency> {
        unsafe arena.place(
            Loci__ShardResidency(
                base: ProtobufCMessage(), space: space, partition: partition, extent: extent),
            loci__shard_residency__init)
    }
}

extension ResidencyAnswer {
    init(_ layout: Loci__ResidencyAnswer) throws(LociError) {
        unsafe self.init(
            pageBytes: layout.page_bytes, partition: layout.partition, extent: layout.extent,
            hasMore: layout.has_more != 0, receipt: try Receipt(layout.receipt))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ResidencyAnswer> {
        unsafe arena.place(
            Loci__ResidencyAnswer(
                base: ProtobufCMessage(), page_bytes: pageBytes, partition: partition,
                extent: extent, has_more: hasMore ? 1 : 0, receipt: receipt.layout(in: arena)),
            loci__residency_answer__init)
    }
}

extension Scrub {
    init(_ layout: Loci__Scrub) {
        unsafe self.init(
            bytesPerSecond: layout.bytes_per_second, isQuestion: layout.is_question != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Scrub> {
        unsafe arena.place(
            Loci__Scrub(
                base: ProtobufCMessage(), bytes_per_second: bytesPerSecond,
                is_question: isQuestion ? 1 : 0),
            loci__scrub__init)
    }
}

extension ScrubAnswer {
    init(_ layout: Loci__ScrubAnswer) throws(LociError) {
        unsafe self.init(
            shardsRunning: layout.shards_running, pagesVerified: layout.pages_verified,
            pagesDamaged: layout.pages_damaged, receipt: try Receipt(layout.receipt))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ScrubAnswer> {
        unsafe arena.place(
            Loci__ScrubAnswer(
                base: ProtobufCMessage(), shards_running: shardsRunning,
                pages_verified: pagesVerified, pages_damaged: pagesDamaged,
                receipt: receipt.layout(in: arena)),
            loci__scrub_answer__init)
    }
}

extension CreateSnapshot {
    init(_ layout: Loci__CreateSnapshot) throws(LociError) {
        unsafe self.init(name: try String(decoded: layout.name))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CreateSnapshot> {
        unsafe arena.place(
            Loci__CreateSnapshot(base: ProtobufCMessage(), name: arena.bytes(name)),
            loci__create_snapshot__init)
    }
}

extension SnapshotsAnswer {
    init(_ layout: Loci__SnapshotsAnswer) throws(LociError) {
        unsafe self.init(
            snapshots: try elements(layout.snapshots, layout.n_snapshots, SnapshotEntry.init),
            active: try String(decoded: layout.active))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__SnapshotsAnswer> {
        unsafe arena.place(
            Loci__SnapshotsAnswer(
                base: ProtobufCMessage(), n_snapshots: snapshots.count,
                snapshots: arena.array(snapshots.map { unsafe $0.layout(in: arena) }),
                active: arena.bytes(active)),
            loci__snapshots_answer__init)
    }
}

extension SnapshotEntry {
    init(_ layout: Loci__SnapshotEntry) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), id: layout.id, unixSeconds: layout.unix_seconds,
            bytes: layout.bytes, partitions: layout.partitions, shards: layout.shards)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__SnapshotEntry> {
        unsafe arena.place(
            Loci__SnapshotEntry(
                base: ProtobufCMessage(), name: arena.bytes(name), id: id,
                unix_seconds: unixSeconds, bytes: bytes, partitions: partitions, shards: shards),
            loci__snapshot_entry__init)
    }
}

extension ShardSnapshot {
    init(_ layout: Loci__ShardSnapshot) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), id: layout.id,
            step: try Step(decoded: layout.step))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardSnapshot> {
        unsafe arena.place(
            Loci__ShardSnapshot(
                base: ProtobufCMessage(), name: arena.bytes(name), id: id, step: step.rawValue),
            loci__shard_snapshot__init)
    }
}

extension ShardSnapshot.Step {
    init(decoded number: UInt32) throws(LociError) {
        guard let step = Self(rawValue: number) else {
            throw LociError(.invalidArgument, "A snapshot has no step \(number).")
        }
        self = step
    }
}
