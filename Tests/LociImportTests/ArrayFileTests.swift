import LociBase
import LociImport
import Testing

@Suite struct ArrayFileTests {
    private let scratch = Scratch()

    @Test func rowsComeBackAsTheyWereWritten() throws {
        var random = SeededRandom(seed: 1)
        for (rows, dimension) in [(1, 1), (3, 5), (100, 64), (1234, 7)] {
            let values = (0..<rows).map { _ in (0..<dimension).map { _ in Float(random.unit()) } }
            let content = ArrayFile.bytes(values)
            #expect((content.count - rows * dimension * 4) % 64 == 0)
            let path = scratch.write("\(rows).npy", content.array)
            let read = try Import.readFloats(path: path)
            #expect(read.rows == rows && read.dimension == dimension)
            #expect(read.values == values.flatMap { $0 })
        }
    }
}
