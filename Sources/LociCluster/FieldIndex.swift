import LociBase
import LociModel

/// A field with what reads need of it each time.
struct IndexedField: Sendable {
    let definition: FieldDefinition
    let geometry: FieldGeometry
    let identity: UInt64

    /// - Throws: FAILED_PRECONDITION unless `identity` is 0 or this field's.
    func check(identity: UInt64, in cluster: UInt64) throws(LociError) {
        if identity == 0 || identity == self.identity { return }
        try definition.check(identity: identity, in: cluster)
    }
}

/// The fields of a catalog by space and by name: worked out when the catalog has changed, not for
/// each read.
struct FieldIndex: Sendable {
    private var version: UInt64?
    private var fields: [IndexedField] = []
    private var bySpace: [SpaceID: Int] = [:]
    private var byName: [String: Int] = [:]

    func field(space: SpaceID) -> IndexedField? { bySpace[space].map { fields[$0] } }

    func field(named name: String) -> IndexedField? { byName[name].map { fields[$0] } }

    func isOf(_ catalogVersion: UInt64) -> Bool { version == catalogVersion }

    mutating func follow(_ catalog: Catalog, cluster: UInt64, partitions: Int) {
        version = catalog.version
        fields = catalog.fields.map {
            IndexedField(
                definition: $0, geometry: FieldGeometry($0, partitions: partitions),
                identity: $0.identity(in: cluster))
        }
        bySpace = [:]
        byName = [:]
        for (index, field) in fields.enumerated() {
            bySpace[field.definition.space] = index
            byName[field.definition.name] = index
        }
    }
}
