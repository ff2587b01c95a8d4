extension JSONCursor {
    /// `-`, digits without a leading zero, a fraction, an exponent. An integer where the value is
    /// one and fits 64 bits; else the nearest double, infinite beyond its range.
    /// Where the value is not wanted it is 0.
    mutating func number(_ text: Span<UInt8>, isWanted: Bool = true) -> FieldValue? {
        let start = position
        let isNegative = peek(text) == UInt8(ascii: "-")
        if isNegative { position += 1 }
        var digits = Digits()
        let isZero = peek(text) == UInt8(ascii: "0")
        let whole = read(&digits, text)
        guard whole > 0, !isZero || whole == 1 else { return nil }
        var isWhole = true
        var fraction = 0
        if peek(text) == UInt8(ascii: ".") {
            position += 1
            isWhole = false
            fraction = read(&digits, text)
            guard fraction > 0 else { return nil }
        }
        var exponent = 0
        if let byte = peek(text), byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            isWhole = false
            guard let written = exponentDigits(text) else { return nil }
            exponent = written
        }
        guard isWanted else { return .integer(0) }
        if isWhole, digits.isExact, let value = digits.integer(isNegative: isNegative) {
            return .integer(value)
        }
        if let value = digits.double(timesTenTo: exponent - fraction) {
            return .number(isNegative ? -value : value)
        }
        return .number(Self.nearest(text, start..<position))
    }

    /// Digits as one number, as long as it fits 64 bits.
    private struct Digits {
        var value: UInt64 = 0
        var isExact = true

        mutating func append(_ digit: UInt8) {
            let (high, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = high.addingReportingOverflow(UInt64(digit))
            if overflow || carry { isExact = false } else { value = sum }
        }

        func integer(isNegative: Bool) -> Int64? {
            if isNegative { return value <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- value) : nil }
            return Int64(exactly: value)
        }

        /// Exact operands give the nearest result in one rounding (Clinger 1990).
        func double(timesTenTo power: Int) -> Double? {
            guard isExact, value <= 1 << 53, (-22...22).contains(power) else { return nil }
            return power < 0
                ? Double(value) / Self.powersOfTen[-power]
                : Double(value) * Self.powersOfTen[power]
        }

        private static let powersOfTen: [Double] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
        ]
    }

    private mutating func read(_ digits: inout Digits, _ text: Span<UInt8>) -> Int {
        let start = position
        while let byte = peek(text), 0x30...0x39 ~= byte {
            digits.append(byte - 0x30)
            position += 1
        }
        return position - start
    }

    /// A sign and digits; cut at a million, far beyond where a double ends.
    private mutating func exponentDigits(_ text: Span<UInt8>) -> Int? {
        let sign = peek(text)
        if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
        let start = position
        var value = 0
        while let byte = peek(text), 0x30...0x39 ~= byte {
            value = min(value * 10 + Int(byte - 0x30), 1_000_000)
            position += 1
        }
        guard position > start else { return nil }
        return sign == UInt8(ascii: "-") ? -value : value
    }

    /// The library's conversion. It gives infinity or nil beyond the range of a double, by version.
    private static func nearest(_ text: Span<UInt8>, _ range: Range<Int>) -> Double {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for index in range { bytes.append(text[index]) }
        return Double(String(decoding: bytes, as: UTF8.self)) ?? .infinity
    }
}
