import LociBase
import LociModel

/// What is written: all of it follows from a token.
extension Workload {
    static func bytes(of token: UInt64, cell: CellIndex) -> Bytes {
        token == 0 ? Bytes(zeros: cellBytes) : Bytes(values: [token, cell, ~token])
    }

    /// The token and the id in 20 digits each, and a group by which searches filter.
    static func payload(of token: UInt64, point id: PointID) -> Bytes {
        func digits(_ number: UInt64) -> String {
            let text = String(number)
            return String(repeating: "0", count: 20 - text.count) + text
        }
        return Bytes(
            utf8: #"{"token": "\#(digits(token))", "point": "\#(digits(id))", "group": "#
                + "\(group(of: token))}")
    }

    /// The token that a payload begins with; 0 if it is none.
    static func token(in payload: Bytes) -> UInt64 {
        guard payload.count > 31 else { return 0 }
        return UInt64(String(decoding: payload.slice(11..<31).values(UInt8.self), as: UTF8.self))
            ?? 0
    }

    static let groups: UInt64 = 16

    static func group(of token: UInt64) -> UInt64 { mix64(token) % groups }

    /// A vector near one of five centres.
    static func vector(of token: UInt64) -> [Float] {
        var random = SeededRandom(seed: token)
        let centre = Float(random.below(5)) * 10
        return (0..<dimension).map { axis in
            centre * Float(axis % 2 == 0 ? 1 : -1) + Float(random.unit() * 4)
        }
    }
}
