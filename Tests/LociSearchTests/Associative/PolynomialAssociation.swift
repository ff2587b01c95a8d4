import LociKernels

/// A dense associative memory over bipolar vectors with a rectified polynomial (Krotov and
/// Hopfield, Dense Associative Memory for Pattern Recognition, 2016): energy
/// `-sum over patterns of F(pattern . state)`, F(x) = max(x, 0)^degree, lowered one element at a
/// time. It recalls about `N^(degree - 1) / (2 (2 degree - 3)!! ln N)` patterns of N elements
/// without an error.
///
/// Invariants:
/// - Elements of patterns and states are -1 and 1.
/// - The energy never rises, so that recall ends.
struct PolynomialAssociation: Sendable {
    let dimension: Int
    let degree: Int
    /// One after the other.
    private var patterns: [Float] = []

    init(dimension: Int, degree: Int) {
        precondition(dimension > 0 && degree >= 2)
        self.dimension = dimension
        self.degree = degree
    }

    mutating func store(_ pattern: [Float]) {
        precondition(pattern.count == dimension && pattern.allSatisfy { abs($0) == 1 })
        patterns.append(contentsOf: pattern)
    }

    /// Sweeps over the elements, in order, until none changes or `sweeps` are done.
    func recall(_ query: [Float], sweeps: Int = 20) -> (state: [Float], isFixedPoint: Bool) {
        precondition(query.count == dimension)
        var state = query
        var overlaps: [Float] = []
        Kernels.score(.dot, query: state, rows: patterns, into: &overlaps)
        for _ in 0..<sweeps {
            var changed = false
            for element in 0..<dimension {
                let now = state[element]
                let next: Float = field(at: element, now, overlaps) >= 0 ? 1 : -1
                guard next != now else { continue }
                state[element] = next
                changed = true
                for index in overlaps.indices {
                    overlaps[index] += (next - now) * patterns[index * dimension + element]
                }
            }
            if !changed { return (state, true) }
        }
        return (state, false)
    }

    /// By how much the energy is lower with 1 than with -1 at an element.
    private func field(at element: Int, _ now: Float, _ overlaps: [Float]) -> Double {
        var field = 0.0
        for index in overlaps.indices {
            let own = patterns[index * dimension + element]
            let others = overlaps[index] - own * now
            field += Double(power(others + own) - power(others - own))
        }
        return field
    }

    private func power(_ overlap: Float) -> Float {
        guard overlap > 0 else { return 0 }
        var power = overlap
        for _ in 1..<degree { power *= overlap }
        return power
    }
}
