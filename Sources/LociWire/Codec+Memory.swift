import CWire
import LociBase
import LociModel

// Binary memories as protobuf-c lays them out: field for field.

extension CreateMemory {
    init(_ layout: Loci__CreateMemory) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), bits: layout.bits, locations: layout.locations,
            radius: layout.radius, seed: layout.seed)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CreateMemory> {
        unsafe arena.place(
            Loci__CreateMemory(
                base: ProtobufCMessage(), name: arena.bytes(name), bits: bits, locations: locations,
                radius: radius, seed: seed),
            loci__create_memory__init)
    }
}

extension DropMemory {
    init(_ layout: Loci__DropMemory) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__DropMemory> {
        unsafe arena.place(
            Loci__DropMemory(
                base: ProtobufCMessage(), name: arena.bytes(name)),
            loci__drop_memory__init)
    }
}

extension WriteMemory {
    init(_ layout: Loci__WriteMemory) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), count: layout.count)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__WriteMemory> {
        unsafe arena.place(
            Loci__WriteMemory(
                base: ProtobufCMessage(), name: arena.bytes(name), count: count),
            loci__write_memory__init)
    }
}

extension ReadMemory {
    init(_ layout: Loci__ReadMemory) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), count: layout.count, steps: layout.steps)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ReadMemory> {
        unsafe arena.place(
            Loci__ReadMemory(
                base: ProtobufCMessage(), name: arena.bytes(name), count: count, steps: steps),
            loci__read_memory__init)
    }
}

extension MemoryAnswer {
    init(_ layout: Loci__MemoryAnswer) throws(LociError) {
        unsafe self.init(
            count: layout.count, receipt: try Receipt(layout.receipt))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__MemoryAnswer> {
        unsafe arena.place(
            Loci__MemoryAnswer(
                base: ProtobufCMessage(), count: count, receipt: receipt.layout(in: arena)),
            loci__memory_answer__init)
    }
}

extension ShardMemoryWrite {
    init(_ layout: Loci__ShardMemoryWrite) {
        unsafe self.init(
            space: layout.space, partition: layout.partition, count: layout.count)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardMemoryWrite> {
        unsafe arena.place(
            Loci__ShardMemoryWrite(
                base: ProtobufCMessage(), space: space, partition: partition, count: count),
            loci__shard_memory_write__init)
    }
}

extension ShardMemoryRead {
    init(_ layout: Loci__ShardMemoryRead) {
        unsafe self.init(
            space: layout.space, count: layout.count)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardMemoryRead> {
        unsafe arena.place(
            Loci__ShardMemoryRead(
                base: ProtobufCMessage(), space: space, count: count),
            loci__shard_memory_read__init)
    }
}

extension ShardMemoryAnswer {
    init(_ layout: Loci__ShardMemoryAnswer) throws(LociError) {
        unsafe self.init(
            count: layout.count, receipt: try Receipt(layout.receipt))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardMemoryAnswer> {
        unsafe arena.place(
            Loci__ShardMemoryAnswer(
                base: ProtobufCMessage(), count: count, receipt: receipt.layout(in: arena)),
            loci__shard_memory_answer__init)
    }
}
