import LociBase
import LociSearch
import Testing

@Suite struct CellSetTests {
    @Test func `a set of cells behaves as a set of numbers`() {
        var random = SeededRandom(seed: 3)
        func randomSet() -> (CellSet, Set<UInt32>) {
            var cells = CellSet(below: random.below(300))
            var model = Set<UInt32>()
            for _ in 0..<random.below(200) {
                let cell = UInt32(random.below(400))
                if random.chance(0.8) {
                    cells.insert(cell)
                    model.insert(cell)
                } else {
                    cells.remove(cell)
                    model.remove(cell)
                }
            }
            return (cells, model)
        }
        for _ in 0..<300 {
            var (cells, model) = randomSet()
            let (other, otherModel) = randomSet()
            switch random.below(4) {
            case 0:
                cells.formUnion(other)
                model.formUnion(otherModel)
            case 1:
                cells.formIntersection(other)
                model.formIntersection(otherModel)
            case 2:
                cells.subtract(other)
                model.subtract(otherModel)
            default:
                cells.keep { $0 % 3 == 1 }
                model = model.filter { $0 % 3 == 1 }
            }
            #expect(Array(cells) == model.sorted())
            #expect(cells.count == model.count && cells.isEmpty == model.isEmpty)
            #expect(cells.bound == model.max().map { Int($0) + 1 } ?? 0)
            for cell in UInt32(0)..<500 { #expect(cells.contains(cell) == model.contains(cell)) }
            var wide = CellSet(below: 1000)
            for cell in model { wide.insert(cell) }
            #expect(wide == cells && cells == wide)
            #expect((cells == other) == (model == otherModel))
        }
    }
}
