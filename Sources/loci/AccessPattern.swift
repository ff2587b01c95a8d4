import ArgumentParser
import Glibc
import LociClient

/// In which order cells are asked for.
enum AccessPattern: String, ExpressibleByArgument, CaseIterable {
    case zipf, uniform, sequential
    /// Paths of scattered cells, walked again and again: popular ones more often.
    case paths
}

/// Numbers of cells by a pattern.
struct CellStream {
    private let pattern: AccessPattern
    private let count: UInt64
    private let zipf: ZipfDistribution
    private var random: SeededRandom
    private var position: UInt64
    /// Of `paths`: which one, and how far along.
    private var path: UInt64 = 0
    private var step: UInt64 = 0

    private static let pathCount: UInt64 = 200
    private static let pathLength: UInt64 = 64

    /// - Parameters:
    ///   - count: Cells of the field.
    ///   - theta: Skew of `zipf`.
    init(_ pattern: AccessPattern, count: UInt64, theta: Double, random: SeededRandom) {
        self.pattern = pattern
        self.count = count
        self.random = random
        zipf = ZipfDistribution(
            count: pattern == .paths ? Self.pathCount : count, exponent: theta)
        position = self.random.next() % count
    }

    mutating func next() -> CellIndex {
        switch pattern {
        case .uniform:
            return UInt64.random(in: 0..<count, using: &random)
        case .sequential:
            defer { position = (position + 1) % count }
            return position
        case .zipf:
            // Popular cells lie scattered over the field, as they do in hashed tables.
            return mix64(zipf.next(&random)) % count
        case .paths:
            if step % Self.pathLength == 0 { path = zipf.next(&random) }
            step += 1
            return mix64(path << 32 | step % Self.pathLength) % count
        }
    }
}

/// Zipf's distribution over 1...count by rejection-inversion (Hoermann and Derflinger, "Rejection-
/// inversion to generate variates from monotone discrete distributions", 1996): constant time and
/// memory for any count and any positive exponent.
struct ZipfDistribution {
    private let count: Double
    private let exponent: Double
    private let integralAtOne: Double
    private let integralAtEnd: Double
    private let shortcut: Double

    init(count: UInt64, exponent: Double) {
        precondition(count > 0 && exponent > 0)
        self.count = Double(count)
        self.exponent = exponent
        integralAtOne = Self.integral(1.5, exponent) - 1
        integralAtEnd = Self.integral(Double(count) + 0.5, exponent)
        shortcut =
            2 - Self.inverse(Self.integral(2.5, exponent) - pow(2, -exponent), exponent)
    }

    /// A rank, 1 being the most frequent.
    func next(_ random: inout SeededRandom) -> UInt64 {
        while true {
            let u = integralAtEnd + random.unit() * (integralAtOne - integralAtEnd)
            let x = Self.inverse(u, exponent)
            let rank = min(max((x + 0.5).rounded(.down), 1), count)
            if rank - x <= shortcut
                || u >= Self.integral(rank + 0.5, exponent) - pow(rank, -exponent)
            {
                return UInt64(rank)
            }
        }
    }

    /// Integral of x^-exponent, continuous in the exponent at 1.
    private static func integral(_ x: Double, _ exponent: Double) -> Double {
        let logarithm = log(x)
        return expansion((1 - exponent) * logarithm) * logarithm
    }

    private static func inverse(_ u: Double, _ exponent: Double) -> Double {
        let t = max(u * (1 - exponent), -1)
        return exp(abs(t) > 1e-8 ? log1p(t) / t * u : (1 - t / 2) * u)
    }

    /// (e^x - 1) / x.
    private static func expansion(_ x: Double) -> Double {
        abs(x) > 1e-8 ? expm1(x) / x : 1 + x / 2
    }
}
