import LociBase
import LociKernels
import Testing

@Suite struct BipolarMatrixTests {
    private func odd(_ count: Int, bits: Int, _ random: inout SeededRandom) -> [Int16] {
        let highest = Int16(1) << bits - 1
        let kind = random.below(4)
        return (0..<count).map { _ in
            switch kind {
            case 0: highest
            case 1: -highest
            default: 2 * Int16(random.below(1 << bits)) - highest
            }
        }
    }

    @Test(arguments: InstructionLevel.available, [1, 63, 64, 512, 513, 4096])
    func productsAreExactForAllWidths(level: InstructionLevel, length: Int) {
        var random = SeededRandom(seed: UInt64(length))
        let rows = length > 1000 ? 1 : 11
        let vectors = (1...8).map { odd(length, bits: $0, &random) }
        let others = (1...8).map {
            BipolarMatrix(vectors[$0 - 1], rows: 1, length: length, bits: $0)
        }
        for bits in 1...8 {
            let values = odd(rows * length, bits: bits, &random)
            let matrix = BipolarMatrix(values, rows: rows, length: length, bits: bits)
            for (vector, other) in zip(vectors, others) {
                let expected = (0..<rows).map { row in
                    var sum: Int64 = 0
                    for k in 0..<length {
                        sum += Int64(values[row * length + k]) * Int64(vector[k])
                    }
                    return sum
                }
                var products: [Int64] = []
                matrix.multiply(other, into: &products, level: level)
                #expect(products == expected, "\(bits) by \(other.bits) bits, length \(length)")
            }
        }
    }

    @Test(arguments: InstructionLevel.available)
    func nothingIsTheProductOfNoElementsAndNoRows(level: InstructionLevel) {
        var products: [Int64] = [5]
        BipolarMatrix([], rows: 0, length: 3, bits: 2).multiply(
            BipolarMatrix([1, -1, 1], rows: 1, length: 3, bits: 1), into: &products, level: level)
        #expect(products.isEmpty)
        BipolarMatrix([], rows: 2, length: 0, bits: 2).multiply(
            BipolarMatrix([], rows: 1, length: 0, bits: 1), into: &products, level: level)
        #expect(products == [0, 0])
    }

    @Test func evenAndLargeValuesAreRefused() async {
        await #expect(processExitsWith: .failure) {
            _ = BipolarMatrix([2], rows: 1, length: 1, bits: 3)
        }
        await #expect(processExitsWith: .failure) {
            _ = BipolarMatrix([9], rows: 1, length: 1, bits: 3)
        }
    }
}
