import CKernels

/// The instructions that integer kernels, rotations and codes are computed with. Results are the
/// same on every level, bit for bit; only the time differs.
public enum InstructionLevel: Int32, Sendable, CaseIterable, Comparable {
    /// Portable C.
    case scalar = 0
    case avx2 = 1
    /// AVX-512 with VNNI and VPOPCNTDQ.
    case avx512 = 2

    /// The highest level of this machine.
    public static let best = InstructionLevel(rawValue: loci_level_best())!

    /// All levels that this machine has, the lowest first.
    public static var available: [InstructionLevel] { allCases.filter { $0 <= best } }

    public static func < (left: InstructionLevel, right: InstructionLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}
