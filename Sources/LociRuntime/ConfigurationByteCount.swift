/// A number of bytes as people write it: `512`, `64KiB`, `256MiB`, `2GiB`, `1TiB`.
public struct ByteCount: CustomStringConvertible {
    public let bytes: Int

    private static let units: [(suffix: String, shift: Int)] = [
        ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0),
    ]

    public init(bytes: Int) { self.bytes = bytes }

    /// Nil when the text is not a whole, non-negative number with one of the units or none, or is
    /// too large.
    public init?(_ text: String) {
        let unit = Self.units.first { text.hasSuffix($0.suffix) }
        var digits = text.dropLast(unit?.suffix.count ?? 0)
        while digits.last == " " { digits.removeLast() }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = Int(digits)
        else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: 1 << (unit?.shift ?? 0))
        guard !overflow else { return nil }
        bytes = product
    }

    /// The largest unit that divides it.
    public var description: String {
        for unit in Self.units where bytes >= 1 << unit.shift && bytes % (1 << unit.shift) == 0 {
            return "\(bytes >> unit.shift)\(unit.suffix)"
        }
        return "\(bytes)B"
    }
}
