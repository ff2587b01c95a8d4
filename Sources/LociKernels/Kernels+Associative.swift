import CKernels
public import LociBase

/// Kernels of associative memories. Those over bits and counters are exact, so they give the same
/// on every machine.
extension Kernels {
    /// Adds each of `weights.count` contiguous float32 rows, times its weight, to `sum`; the first
    /// starts at byte `offset` of `rows`. Rows whose weight is 0 are not looked at. Sums are in
    /// float32 within a block of 64 rows and in double precision over blocks.
    /// - Precondition: the rows lie within the bytes.
    public static func addWeighted(
        _ rows: Bytes, at offset: Int, weights: [Float], to sum: inout [Double]
    ) {
        let dimension = sum.count
        let rowBytes = dimension * MemoryLayout<Float>.stride
        precondition(offset >= 0 && offset <= rows.count, "rows out of bounds")
        precondition(
            rowBytes == 0 || weights.count <= (rows.count - offset) / rowBytes,
            "rows out of bounds")
        unsafe rows.withUnsafeBytes { bytes in
            let first = unsafe (bytes.baseAddress! + offset).assumingMemoryBound(to: Float.self)
            unsafe loci_add_weighted_f32(
                first, dimension, weights.count, dimension, weights, &sum)
        }
    }

    /// Word `word` of the address of a hard location: SplitMix64 (Steele, Lea and Flood, 2014) from
    /// a start that is mixed from seed and location.
    public static func locationWord(seed: UInt64, location: UInt64, word: Int) -> UInt64 {
        loci_location_word(seed, location, UInt64(word))
    }

    /// Of the hard locations of these ranges those whose address differs in at most `radius` of its
    /// first `bits` bits from `address`, in the order of the ranges. Addresses are made and
    /// compared word by word: none is ever in memory.
    public static func activeLocations(
        seed: UInt64, ranges: some Sequence<Range<UInt64>>, address: [UInt64], bits: Int,
        radius: Int
    ) -> [UInt64] {
        precondition(bits > 0 && address.count == (bits + 63) / 64)
        // In blocks, so that the room for what is found stays small.
        let block = 4096
        var active: [UInt64] = []
        var room = [UInt64](repeating: 0, count: block)
        for range in ranges {
            for first in stride(from: range.lowerBound, to: range.upperBound, by: block) {
                let found = unsafe loci_active_locations(
                    seed, first, min(block, Int(range.upperBound - first)), address, bits,
                    UInt32(clamping: radius), &room)
                active.append(contentsOf: room[..<found])
            }
        }
        return active
    }

    /// Adds 1 to the counter of each bit that is 1 and takes 1 from the others; within +-127.
    public static func write(_ pattern: [UInt64], to counters: inout [Int8]) {
        precondition(pattern.count == (counters.count + 63) / 64, "pattern and counters differ")
        let bits = counters.count
        unsafe loci_counters_write(pattern, bits, &counters)
    }

    /// Adds the `sums.count` int8 counters that start at byte `offset`.
    /// - Precondition: the counters lie within the bytes.
    public static func addCounters(_ counters: Bytes, at offset: Int, to sums: inout [Int32]) {
        let bits = sums.count
        precondition(offset >= 0 && offset <= counters.count - bits, "counters out of bounds")
        unsafe counters.withUnsafeBytes { bytes in
            let first = unsafe (bytes.baseAddress! + offset).assumingMemoryBound(to: Int8.self)
            unsafe loci_counters_sum(first, bits, &sums)
        }
    }
}
