import LociModel

/// Durations, written as a whole number and ms or s.
extension ConfigurationDocument {
    /// - Returns: Milliseconds; nil for `off`.
    func milliseconds(
        _ key: String, in range: ClosedRange<Int>, default standard: Int
    ) throws(LociError) -> Int? {
        let text = try string(key, default: "\(standard)ms")
        if text == "off" { return nil }
        let unit = text.hasSuffix("ms") ? 1 : 1000
        let digits = text.hasSuffix("ms") ? text.dropLast(2) : text.dropLast(1)
        guard text.hasSuffix("s"), digits.count <= 9, let number = Int(digits),
            range.contains(number * unit)
        else {
            throw complaint(
                key,
                "must be \(range.lowerBound)ms to \(range.upperBound / 1000)s, or off, "
                    + "not '\(text)'.",
                advice: "Write a whole number and ms or s, such as 500ms.")
        }
        return number * unit
    }
}
