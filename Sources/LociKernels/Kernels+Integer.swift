import CKernels

extension Kernels {
    /// The most elements of a row of int8 whose products cannot overflow int32.
    public static let maximumInt8Dimension = 65_536

    /// Replaces `products` by the exact inner products of one int8 vector with `count` rows. Row i
    /// starts at element `i * stride` of `rows`.
    /// - Precondition: `query.count <= min(stride, 65,536)`; the rows lie within `rows`.
    public static func dot(
        query: [Int8], rows: [Int8], stride: Int, count: Int, into products: inout [Int32],
        level: InstructionLevel = .best
    ) {
        let dimension = query.count
        precondition(dimension <= stride && dimension <= maximumInt8Dimension, "row too short")
        precondition(
            count == 0 || dimension <= rows.count && count - 1 <= (rows.count - dimension) / stride,
            "rows out of bounds")
        precondition(level <= .best, "the machine lacks these instructions")
        if products.count != count { products = [Int32](repeating: 0, count: count) }
        guard count > 0, dimension > 0 else {
            products = products.map { _ in 0 }
            return
        }
        unsafe loci_dot_i8(level.rawValue, query, rows, stride, count, dimension, &products)
    }
}
