import LociBase
import Testing

@testable import LociSearch

@Suite struct CostCeilingTests {
    /// What costs more than the ceiling is never wanted, and what is wanted is never above it.
    @Test(arguments: 1...40) func theCeilingIsTheCostOfTheLastThatIsWanted(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let most = 1 + random.below(20)
        let least = 1 + random.below(most)
        let factor: Float = random.chance(0.3) ? .infinity : 1 + Float(random.below(5)) / 2
        var ceiling = CostCeiling(most: most, least: least, factor: factor)
        var costs: [Float] = []
        for _ in 0..<100 {
            let cost = Float(random.below(300))
            costs.append(cost)
            ceiling.insert(cost)
            ceiling.insert(.nan)
            costs.sort()
            let ofMost = costs.count < most ? .infinity : costs[most - 1]
            let ofLeast = costs.count < least ? .infinity : costs[least - 1]
            let bound = factor < .infinity ? max(factor * costs[0], ofLeast) : .infinity
            #expect(ceiling.value == min(ofMost, bound))
        }
    }
}
