import LociBase
import LociModel
import Testing

@Suite struct FieldGeometryTests {
    /// Random and extreme numbers of all magnitudes.
    @Test func aDivisorDividesLikeADivision() {
        var random = SeededRandom(seed: 11)
        let edges: [UInt64] = [0, 1, 2, 3, 62, 1 << 32, 1 << 63, .max - 1, .max]
        func number() -> UInt64 { random.next() >> UInt64(random.below(64)) }
        for _ in 0..<20_000 {
            let value = max(1, random.chance(0.1) ? edges[random.below(edges.count)] : number())
            let divisor = Divisor(value)
            let (product, _) = number().multipliedReportingOverflow(by: value)
            for number in [number(), product, product &- 1, product &+ 1] + edges {
                let (quotient, remainder) = divisor.divide(number)
                #expect(quotient == number / value && remainder == number % value)
            }
        }
    }

    private static func field(
        _ shape: [UInt64], _ type: ElementType = .raw, pageBytes: Int = 0
    ) throws -> FieldDefinition {
        try FieldDefinition(
            space: 1, name: "field", elementType: type, shape: shape, pageBytes: pageBytes)
    }

    /// Small pages of large cells, so that a few thousand cells cover several stripes.
    @Test func everyCellHasAPlaceOfItsOwnWithinAPage() throws {
        let shapes: [([UInt64], ElementType, Int)] = [
            ([3000, 1500], .raw, 4096), ([5, 600, 3000], .int8, 4096), ([700, 40000], .uint8, 0),
            ([2500, 1000], .float32, 4096), ([2000, 8191], .packed(bits: 4), 4096),
            ([40, 1 << 20], .float16, 0), ([4000, 1], .packed(bits: 1), 0),
        ]
        for (shape, type, pageBytes) in shapes {
            let field = try Self.field(shape, type, pageBytes: pageBytes)
            for partitions in [1, 3, 8] {
                let geometry = FieldGeometry(field, partitions: partitions)
                var places: Set<CellPlace> = []
                for cell in 0..<field.cellCount {
                    let place = geometry.place(of: cell)
                    places.insert(place)
                    #expect(place.offset >= 0 && place.offset % field.cellBytes == 0)
                    #expect(place.offset + field.cellBytes <= field.pageBytes)
                    #expect(place.address.partition < partitions)
                    #expect(place.address.partition == geometry.partition(of: cell))
                    let page = geometry.page(of: cell)
                    #expect(page < field.pageCount)
                    #expect(geometry.address(ofPage: page) == place.address)
                    #expect(geometry.page(at: place.address) == page)
                }
                #expect(places.count == Int(field.cellCount), "\(shape) over \(partitions)")
            }
        }
    }

    /// Pages of a partition are used without gaps, and no partition has more than one stripe more
    /// than another.
    @Test func stripesSpreadEvenlyAndLeaveNoGaps() throws {
        let field = try Self.field([3 * 1024 + 500, 1 << 14], pageBytes: 16 << 10)
        for partitions in [1, 2, 5, 7] {
            let geometry = FieldGeometry(field, partitions: partitions)
            var pages = [Set<UInt64>](repeating: [], count: partitions)
            for cell in 0..<field.cellCount {
                let address = geometry.place(of: cell).address
                pages[Int(address.partition)].insert(address.page)
            }
            let counts = pages.map(\.count)
            #expect(counts.max()! - counts.min()! <= Int(geometry.pagesPerStripe))
            for set in pages where !set.isEmpty { #expect(Int(set.max()!) == set.count - 1) }
        }
    }

    @Test func aPebibyteIsAcceptedAndOneByteMoreIsNot() throws {
        let pebibyte = UInt64(1) << 50
        for shape: [UInt64] in [[pebibyte, 1], [1 << 42, 256], [1 << 20, 1 << 20, 1 << 10]] {
            let field = try Self.field(shape)
            #expect(field.cellCount * UInt64(field.cellBytes) == pebibyte)
            let geometry = FieldGeometry(field, partitions: 1024)
            let last = geometry.place(of: field.cellCount - 1)
            #expect(last.address.partition == 1023)
            #expect(last.offset + field.cellBytes == field.pageBytes)
        }
        let refused: [[UInt64]] = [
            [pebibyte + 1, 1], [(1 << 42) + 1, 256], [.max, .max, 1], [.max, 1 << 20],
            [1 << 63, 2, 1],
        ]
        for shape in refused {
            #expect(throws: LociError.self, "\(shape)") { try Self.field(shape) }
        }
    }

    @Test func shapesAndPagesThatCannotBeAreRefused() {
        let refused: [([UInt64], ElementType, Int)] = [
            ([5], .raw, 0), ([0, 5], .raw, 0), ([5, 0], .raw, 0),
            ([1, 1, 1, 1, 1, 1, 1, 1, 1], .raw, 0),
            ([1, (2 << 20) + 1], .raw, 0), ([1, .max], .float32, 0),
            ([1, .max], .packed(bits: 8), 0),
            ([1, 5000], .raw, 4096), ([1, 1], .raw, 2048), ([1, 1], .raw, 5000),
            ([1, 1], .raw, 4 << 20),
        ]
        for (shape, type, pageBytes) in refused {
            #expect(throws: LociError.self, "\(shape) \(pageBytes)") {
                try Self.field(shape, type, pageBytes: pageBytes)
            }
        }
    }
}
