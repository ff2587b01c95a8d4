import LociBase
import LociKernels
import LociSearch
import Testing

@Suite struct CodeRotationTests {
    private let dimensions = [1, 2, 63, 64, 65, 100, 128, 192, 384, 784, 1000]

    @Test func lengthsAndProductsStayAsTheyAre() {
        var random = SeededRandom(seed: 1)
        for dimension in dimensions {
            let rotation = CodeRotation(dimension: dimension, seed: 7)
            #expect(rotation.paddedDimension == (dimension + 63) / 64 * 64)
            let (a, b) = (normal(dimension, &random), normal(dimension, &random))
            let (c, d) = (rotation.rotate(a), rotation.rotate(b))
            #expect(c.count == rotation.paddedDimension)
            let scale = product(a, a).squareRoot() * product(b, b).squareRoot()
            #expect(abs(product(c, c) / product(a, a) - 1) < 1e-5)
            #expect(abs(product(a, b) - product(c, d)) < 1e-5 * scale)
        }
    }

    /// Rows of the whole matrix are orthonormal, not only lengths kept on average.
    @Test func theMatrixIsOrthogonal() {
        for dimension in [64, 192, 128] {
            let rotation = CodeRotation(dimension: dimension, seed: 3)
            let columns = (0..<dimension).map { axis in
                rotation.rotate((0..<dimension).map { $0 == axis ? 1 : 0 })
            }
            for i in 0..<dimension {
                for j in 0...i {
                    let expected = i == j ? 1.0 : 0.0
                    #expect(abs(product(columns[i], columns[j]) - expected) < 1e-5)
                }
            }
        }
    }

    /// The point of it: a vector along one axis, the worst there is for signs, gets coordinates of
    /// about equal size.
    @Test func oneAxisIsSpreadOverAllCoordinates() {
        for dimension in [64, 100, 784, 1024] {
            for axis in [0, dimension / 2, dimension - 1] {
                let rotation = CodeRotation(dimension: dimension, seed: UInt64(axis))
                let spread = rotation.rotate((0..<dimension).map { $0 == axis ? 1 : 0 })
                let padded = Double(rotation.paddedDimension)
                let mean = spread.reduce(0.0) { $0 + abs(Double($1)) } / padded
                let largest = Double(spread.map(abs).max()!)
                #expect(mean * padded.squareRoot() > 0.7)
                #expect(largest * padded.squareRoot() < 5)
            }
        }
    }

    @Test func theSameSeedGivesTheSameMapOnEveryLevelAndAnotherSeedAnother() {
        var random = SeededRandom(seed: 2)
        for dimension in dimensions {
            let vector = normal(dimension, &random)
            let expected = CodeRotation(dimension: dimension, seed: 9).rotate(vector)
            for level in InstructionLevel.available {
                let again = CodeRotation(dimension: dimension, seed: 9)
                #expect(again.rotate(vector, level: level) == expected)
            }
            #expect(CodeRotation(dimension: dimension, seed: 10).rotate(vector) != expected)
        }
    }
}
