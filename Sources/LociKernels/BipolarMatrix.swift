import CKernels
import LociBase

/// Rows of bipolar integers in bit planes (arXiv 2409.17870): n bits stand for the odd integer
/// sum (2 b_i - 1) 2^i, -(2^n - 1) to 2^n - 1, with no zero and no sign bit, so that all planes are
/// alike. A product with a vector is counting bits that differ, and exact.
///
/// Invariants:
/// - A plane is whole 64-bit words, zeros beyond `length`; a row's planes follow each other, the
///   most significant first; rows follow each other without gaps.
public struct BipolarMatrix: Sendable {
    public let rows: Int
    /// Elements of a row.
    public let length: Int
    /// Bits of an element, 1 to 8.
    public let bits: Int
    private let planes: Bytes

    /// Words of one plane; more than these could overflow the sums of a product.
    private static let maximumWords = 1 << 20

    private var words: Int { (length + 63) / 64 }

    /// Splits values, row after row, into planes.
    /// - Precondition: as many values as rows times length, all of them odd and of at most
    ///   2^bits - 1 in magnitude.
    public init(_ values: [Int16], rows: Int, length: Int, bits: Int) {
        precondition(rows >= 0 && length >= 0 && values.count == rows * length, "rows not whole")
        precondition((1...8).contains(bits), "1 to 8 bits")
        let words = (length + 63) / 64
        precondition(words <= Self.maximumWords, "rows too long")
        let highest = Int16(1) << bits - 1
        var planes = [UInt64](repeating: 0, count: rows * bits * words)
        var position = 0
        for row in 0..<rows {
            for element in 0..<length {
                let value = values[position]
                position += 1
                precondition(value & 1 == 1 && abs(value) <= highest, "not a bipolar integer")
                let code = UInt64(UInt16(value + highest)) >> 1
                let first = row * bits * words + element / 64
                for plane in 0..<bits {
                    let bit = code >> UInt64(bits - 1 - plane) & 1
                    planes[first + plane * words] |= bit << UInt64(element % 64)
                }
            }
        }
        self.rows = rows
        self.length = length
        self.bits = bits
        self.planes = Bytes(values: planes)
    }

    /// Replaces `products` by the inner products of all rows with a vector: a matrix of one row of
    /// the same length and of any bits.
    public func multiply(
        _ vector: BipolarMatrix, into products: inout [Int64], level: InstructionLevel = .best
    ) {
        precondition(vector.rows == 1 && vector.length == length, "not a vector for these rows")
        precondition(level <= .best, "the machine lacks these instructions")
        if products.count != rows { products = [Int64](repeating: 0, count: rows) }
        unsafe planes.withUnsafeBytes { matrix in
            unsafe vector.planes.withUnsafeBytes { other in
                unsafe loci_bipolar_product(
                    level.rawValue, matrix.baseAddress!.assumingMemoryBound(to: UInt8.self),
                    bits * words * 8, rows, Int32(bits),
                    other.baseAddress!.assumingMemoryBound(to: UInt64.self), Int32(vector.bits),
                    words, length, &products)
            }
        }
    }
}
