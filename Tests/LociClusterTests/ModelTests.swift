import LociBase
import LociModel
import LociPlacement
import Testing

@Suite struct ModelTests {
    private static func catalog() throws -> Catalog {
        var catalog = Catalog()
        for (index, name) in ElementType.allNames.enumerated() {
            _ = try catalog.createField(
                name: "field-\(index)", elementType: ElementType(name: name)!,
                shape: [UInt64(index + 1), 3, 16], pageBytes: index % 2 == 0 ? 0 : 4096)
        }
        for metric in Metric.allCases {
            _ = try catalog.createCollection(
                name: metric.name, dimension: 100, metric: metric, isText: metric == .cosine)
        }
        return catalog
    }

    @Test func aCatalogIsReadAsItWasWritten() throws {
        var catalog = try Self.catalog()
        #expect(try Catalog(encoded: catalog.encoded) == catalog)
        let isDropped = catalog.dropField(named: "field-2")
        #expect(isDropped)
        #expect(try Catalog(encoded: catalog.encoded) == catalog)
        for length in 0..<catalog.encoded.count {
            #expect(throws: LociError.self) {
                try Catalog(encoded: catalog.encoded.slice(0..<length))
            }
        }
    }

    @Test func spacesAreNeverUsedTwiceAndNamesAreUnique() throws {
        var catalog = Catalog()
        var spaces: [SpaceID] = []
        for _ in 0..<5 {
            let collection = try catalog.createCollection(
                name: "a", dimension: 2, metric: .l2, isText: false)
            spaces += [collection.vectorSpace, collection.payloadSpace]
            #expect(throws: LociError.self) {
                try catalog.createField(
                    name: "a", elementType: .raw, shape: [1, 1], pageBytes: 0)
            }
            let isDropped = catalog.dropCollection(named: "a")
            #expect(isDropped)
            let field = try catalog.createField(
                name: "a", elementType: .raw, shape: [1, 1], pageBytes: 0)
            spaces.append(field.space)
            #expect(catalog.field(space: field.space) == field)
            let isFieldDropped = catalog.dropField(named: "a")
            #expect(isFieldDropped)
        }
        #expect(Set(spaces).count == spaces.count)
        #expect(catalog.version == 20)
    }

    @Test func metadataIsReadAsItWasWrittenAndDamageIsNoticed() throws {
        var metadata = ClusterMetadata(
            clusterID: 0xABCD, map: PartitionMap(partitions: 12, shards: 5))
        metadata.incarnation = 41
        metadata.catalog = try Self.catalog()
        metadata.unroutable = [9, 2, 5]
        let bytes = metadata.encoded
        #expect(try ClusterMetadata(encoded: bytes) == metadata)
        for length in 0..<bytes.count {
            #expect(throws: LociError.self) {
                try ClusterMetadata(encoded: bytes.slice(0..<length))
            }
        }
        var random = SeededRandom(seed: 2)
        for _ in 0..<2000 {
            var damaged = bytes.array
            damaged[random.below(damaged.count)] ^= UInt8(1 << random.below(8))
            _ = try? ClusterMetadata(encoded: Bytes(damaged))
        }
    }

    @Test func everyPartitionHasOneShard() {
        for shards in 1...5 {
            for partitions in shards...(3 * shards) {
                let map = PartitionMap(partitions: partitions, shards: shards)
                let lists = (0..<ShardIndex(shards)).map(map.partitions(of:))
                #expect(
                    lists.flatMap(\.self).sorted() == (0..<PartitionIndex(partitions)).map(\.self))
                #expect(lists.map(\.count).max()! - lists.map(\.count).min()! <= 1)
                for (shard, list) in lists.enumerated() {
                    #expect(list.allSatisfy { map.shard(of: $0) == ShardIndex(shard) })
                }
            }
        }
    }

    @Test func aReceiptIsCompleteOnlyWhenAllWhoWereAskedAnswered() {
        var receipt = Receipt()
        receipt.shardsAsked = 3
        #expect(!receipt.isComplete)
        var part = Receipt()
        part.pagesTouched = 4
        part.shardMicroseconds = 70
        receipt.add(shard: part)
        part.shardMicroseconds = 50
        receipt.add(shard: part)
        receipt.addWork(of: part)
        #expect(!receipt.isComplete && receipt.shardsAnswered == 2)
        #expect(receipt.pagesTouched == 12 && receipt.shardMicroseconds == 70)
        receipt.add(shard: part)
        #expect(receipt.isComplete)
        receipt.totalMicroseconds = 100
        receipt.coordinatorMicroseconds = 20
        #expect(receipt.networkMicroseconds == 10)
        receipt.coordinatorMicroseconds = 90
        #expect(receipt.networkMicroseconds == 0)
    }
}

extension ElementType {
    fileprivate static var allNames: [String] {
        names.dropLast() + (1...8).map { "packed\($0)" }
    }
}
