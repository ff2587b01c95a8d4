import LociBase
import LociKernels
import Testing

@Suite struct IntegerKernelsTests {
    /// Bytes at the ends of their range, and random ones.
    private func bytes(_ count: Int, _ random: inout SeededRandom) -> [Int8] {
        let extreme = random.chance(0.2)
        let value: Int8 = random.chance(0.5) ? -128 : 127
        return (0..<count).map { _ in
            extreme ? value : Int8(truncatingIfNeeded: random.next())
        }
    }

    @Test(arguments: InstructionLevel.available)
    func productsOfBytesAreExact(level: InstructionLevel) {
        var random = SeededRandom(seed: 11)
        for dimension in Array(0...70) + [127, 128, 129, 784, 1000] {
            for count in [0, 1, 3, 4, 5, 9, 16, 19, 33] {
                let stride = dimension + random.below(5) + (dimension == 0 ? 1 : 0)
                let query = bytes(dimension, &random)
                let rows = bytes(stride * count, &random)
                var products: [Int32] = [7]
                Kernels.dot(
                    query: query, rows: rows, stride: stride, count: count, into: &products,
                    level: level)
                let expected = (0..<count).map { row in
                    zip(query, rows[(row * stride)...]).reduce(Int32(0)) {
                        $0 + Int32($1.0) * Int32($1.1)
                    }
                }
                #expect(products == expected, "dimension \(dimension), \(count) rows")
            }
        }
    }

    @Test(arguments: InstructionLevel.available)
    func theLongestRowsDoNotOverflow(level: InstructionLevel) {
        let dimension = Kernels.maximumInt8Dimension
        let lowest = [Int8](repeating: -128, count: dimension)
        var products: [Int32] = []
        Kernels.dot(
            query: lowest, rows: lowest, stride: dimension, count: 1, into: &products, level: level)
        #expect(products == [Int32(dimension) * 128 * 128])
    }

    @Test func rowsOfBytesOutsideTheArrayAreRefused() async {
        await #expect(processExitsWith: .failure) {
            var products: [Int32] = []
            Kernels.dot(
                query: [1, 2], rows: [1, 2, 3], stride: 2, count: 2, into: &products)
        }
    }
}
