import Foundation
import LociBase

/// Vectors of a mixture, for trials of addresses: components of very different sizes (Zipf, 0.8)
/// whose points vary in few directions and lie, with a little noise, in a space of more; or, as a
/// control, of a single normal distribution, where nothing is near anything.
struct AddressingData {
    static let components = 400
    static let latent = 12
    static let dimension = 64

    private var random: SeededRandom
    private var spare: Double?
    private let isClustered: Bool
    private var centres: [[Double]] = []
    private var directions: [[Double]] = []
    /// The share of components up to each.
    private var shares: [Double] = []

    init(isClustered: Bool, seed: UInt64) {
        random = SeededRandom(seed: seed)
        self.isClustered = isClustered
        guard isClustered else { return }
        centres = (0..<Self.components).map { _ in (0..<Self.latent).map { _ in normal() } }
        let scale = 1 / Double(Self.latent).squareRoot()
        directions = (0..<Self.latent).map { _ in
            (0..<Self.dimension).map { _ in scale * normal() }
        }
        let sizes = (1...Self.components).map { pow(Double($0), -0.8) }
        let total = sizes.reduce(0, +)
        var sum = 0.0
        for size in sizes {
            sum += size / total
            shares.append(sum)
        }
    }

    /// So many vectors, one after the other.
    mutating func rows(_ count: Int) -> [Float] {
        var rows: [Float] = []
        rows.reserveCapacity(count * Self.dimension)
        for _ in 0..<count {
            if isClustered {
                appendClustered(&rows)
            } else {
                for _ in 0..<Self.dimension { rows.append(Float(normal())) }
            }
        }
        return rows
    }

    private mutating func appendClustered(_ rows: inout [Float]) {
        let draw = random.unit()
        let component = shares.firstIndex { draw < $0 } ?? Self.components - 1
        var row = (0..<Self.dimension).map { _ in 0.05 * normal() }
        for (centre, direction) in zip(centres[component], directions) {
            let place = centre + 0.45 * normal()
            for element in 0..<Self.dimension { row[element] += place * direction[element] }
        }
        for value in row { rows.append(Float(value)) }
    }

    /// Marsaglia's polar method.
    private mutating func normal() -> Double {
        if let value = spare {
            spare = nil
            return value
        }
        while true {
            let x = 2 * random.unit() - 1
            let y = 2 * random.unit() - 1
            let square = x * x + y * y
            guard square > 0, square < 1 else { continue }
            let factor = (-2 * log(square) / square).squareRoot()
            spare = y * factor
            return x * factor
        }
    }
}
