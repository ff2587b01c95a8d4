import CWire
import LociBase
import LociModel

// Clients' requests as protobuf-c lays them out: field for field.

extension CreateField {
    init(_ layout: Loci__CreateField) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name),
            elementType: try ElementType(decoded: layout.element_type),
            shape: Array(UnsafeBufferPointer(start: layout.shape, count: layout.n_shape)),
            pageBytes: layout.page_bytes)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CreateField> {
        unsafe arena.place(
            Loci__CreateField(
                base: ProtobufCMessage(), name: arena.bytes(name), element_type: elementType.code,
                n_shape: shape.count, shape: arena.array(shape), page_bytes: pageBytes),
            loci__create_field__init)
    }
}

extension DropField {
    init(_ layout: Loci__DropField) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__DropField> {
        unsafe arena.place(
            Loci__DropField(
                base: ProtobufCMessage(), name: arena.bytes(name)),
            loci__drop_field__init)
    }
}

extension CreateCollection {
    init(_ layout: Loci__CreateCollection) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name), dimension: layout.dimension,
            metric: try Metric(decoded: layout.metric), isText: layout.is_text != 0,
            codeBits: layout.code_bits, copies: layout.copies,
            indexedFields: try texts(layout.indexed_fields, layout.n_indexed_fields))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__CreateCollection> {
        unsafe arena.place(
            Loci__CreateCollection(
                base: ProtobufCMessage(), name: arena.bytes(name), dimension: dimension,
                metric: metric.rawValue, is_text: isText ? 1 : 0, code_bits: codeBits,
                copies: copies, n_indexed_fields: indexedFields.count,
                indexed_fields: arena.array(indexedFields.map { unsafe arena.bytes($0) })),
            loci__create_collection__init)
    }
}

extension DropCollection {
    init(_ layout: Loci__DropCollection) throws(LociError) {
        unsafe self.init(
            name: try String(decoded: layout.name))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__DropCollection> {
        unsafe arena.place(
            Loci__DropCollection(
                base: ProtobufCMessage(), name: arena.bytes(name)),
            loci__drop_collection__init)
    }
}

extension ReadCells {
    init(_ layout: Loci__ReadCells) throws(LociError) {
        unsafe self.init(
            field: try String(decoded: layout.field), first: layout.first, count: layout.count,
            isScattered: layout.is_scattered != 0,
            maxTier: try Tier(decodedIfAny: layout.max_tier), identity: layout.identity,
            withTiers: layout.with_tiers != 0, allowsPartial: layout.allows_partial != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ReadCells> {
        unsafe arena.place(
            Loci__ReadCells(
                base: ProtobufCMessage(), field: arena.bytes(field), first: first, count: count,
                is_scattered: isScattered ? 1 : 0, max_tier: maxTier?.code ?? 0,
                identity: identity, with_tiers: withTiers ? 1 : 0,
                allows_partial: allowsPartial ? 1 : 0),
            loci__read_cells__init)
    }
}

extension WriteCells {
    init(_ layout: Loci__WriteCells) throws(LociError) {
        unsafe self.init(
            field: try String(decoded: layout.field), first: layout.first, count: layout.count,
            isScattered: layout.is_scattered != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__WriteCells> {
        unsafe arena.place(
            Loci__WriteCells(
                base: ProtobufCMessage(), field: arena.bytes(field), first: first, count: count,
                is_scattered: isScattered ? 1 : 0),
            loci__write_cells__init)
    }
}

extension Upsert {
    init(_ layout: Loci__Upsert) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection), count: layout.count,
            isText: layout.is_text != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Upsert> {
        unsafe arena.place(
            Loci__Upsert(
                base: ProtobufCMessage(), collection: arena.bytes(collection), count: count,
                is_text: isText ? 1 : 0),
            loci__upsert__init)
    }
}

extension Query {
    init(_ layout: Loci__Query) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection), k: layout.k,
            isExact: layout.is_exact != 0,
            withPayload: layout.with_payload != 0, withVector: layout.with_vector != 0,
            probes: layout.probes, text: try String(decoded: layout.text),
            maxTier: try Tier(decodedIfAny: layout.max_tier),
            filter: try String(decoded: layout.filter), recall: try finite(layout.recall),
            radius: try finite(layout.radius))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Query> {
        unsafe arena.place(
            Loci__Query(
                base: ProtobufCMessage(), collection: arena.bytes(collection), k: k,
                is_exact: isExact ? 1 : 0, with_payload: withPayload ? 1 : 0,
                with_vector: withVector ? 1 : 0, probes: probes, text: arena.bytes(text),
                max_tier: maxTier?.code ?? 0, filter: arena.bytes(filter), recall: recall,
                radius: radius),
            loci__query__init)
    }
}

extension Retrieve {
    init(_ layout: Loci__Retrieve) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection), withVector: layout.with_vector != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Retrieve> {
        unsafe arena.place(
            Loci__Retrieve(
                base: ProtobufCMessage(), collection: arena.bytes(collection),
                with_vector: withVector ? 1 : 0),
            loci__retrieve__init)
    }
}

extension Scroll {
    init(_ layout: Loci__Scroll) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection), from: layout.from,
            limit: layout.limit,
            withVector: layout.with_vector != 0, sampleSeed: layout.sample_seed,
            idsOnly: layout.ids_only != 0)
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Scroll> {
        unsafe arena.place(
            Loci__Scroll(
                base: ProtobufCMessage(), collection: arena.bytes(collection), from: from,
                limit: limit, with_vector: withVector ? 1 : 0, sample_seed: sampleSeed,
                ids_only: idsOnly ? 1 : 0),
            loci__scroll__init)
    }
}

extension Count {
    init(_ layout: Loci__Count) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Count> {
        unsafe arena.place(
            Loci__Count(
                base: ProtobufCMessage(), collection: arena.bytes(collection)),
            loci__count__init)
    }
}

extension DeletePoints {
    init(_ layout: Loci__DeletePoints) throws(LociError) {
        unsafe self.init(
            collection: try String(decoded: layout.collection))
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__DeletePoints> {
        unsafe arena.place(
            Loci__DeletePoints(
                base: ProtobufCMessage(), collection: arena.bytes(collection)),
            loci__delete_points__init)
    }
}
