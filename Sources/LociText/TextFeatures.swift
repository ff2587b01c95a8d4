import LociBase

/// Hashes of what a text consists of: its words, and the runs of characters within them.
///
/// A hash's lowest bit tells words (1) from runs (0). The same text gives the same hashes on every
/// machine: they are part of the format of stored collections.
struct TextFeatures {
    /// Sorted; a feature that occurs n times stands there n times.
    private(set) var hashes: [UInt64] = []
    /// The word that is being read behind a boundary mark; of ideographs the last one.
    private var word: [UInt32] = [boundary]

    /// Lengths of runs, boundary marks included.
    private static let runLengths = 3...5
    /// From here on scripts stand without spaces between words: there, single characters and pairs
    /// of them count as words.
    private static let firstIdeograph: UInt32 = 0x2E80
    /// Scalars of a word beyond this are not looked at: what is longer is no word of a language.
    private static let longestWord = 64
    private static let boundary: UInt32 = 0

    /// Words are letters and digits of any script, in lower case. Marks that only decorate a letter
    /// are dropped, and anything else ends a word.
    init(_ text: String) {
        hashes.reserveCapacity(text.utf8.count * 3)
        for scalar in text.unicodeScalars { add(scalar) }
        closeWord()
        hashes.sort()
    }

    /// Calls `body` once for every distinct feature with the number of times it occurs.
    func visit(_ body: (_ hash: UInt64, _ occurrences: Int) -> Void) {
        var start = 0
        while start < hashes.count {
            var end = start + 1
            while end < hashes.count, hashes[end] == hashes[start] { end += 1 }
            body(hashes[start], end - start)
            start = end
        }
    }

    private mutating func add(_ scalar: Unicode.Scalar) {
        let value = scalar.value
        switch value {
        case 0x61...0x7A, 0x30...0x39: append(value)
        case 0x41...0x5A: append(value + 0x20)
        case 0..<0x80: closeWord()
        default:
            let properties = scalar.properties
            if properties.isAlphabetic || properties.numericType != nil {
                for lower in properties.lowercaseMapping.unicodeScalars { append(lower.value) }
            } else if properties.generalCategory != .nonspacingMark {
                closeWord()
            }
        }
    }

    private mutating func append(_ value: UInt32) {
        if word.count > 1, (word[1] < Self.firstIdeograph) != (value < Self.firstIdeograph) {
            closeWord()
        }
        if value >= Self.firstIdeograph {
            hashes.append(Self.hash([value], seed: 1) | 1)
            if word.count > 1 { hashes.append(Self.hash([word[1], value], seed: 1) | 1) }
            word = [Self.boundary, value]
        } else if word.count <= Self.longestWord {
            word.append(value)
        }
    }

    private mutating func closeWord() {
        defer {
            word.removeAll(keepingCapacity: true)
            word.append(Self.boundary)
        }
        guard word.count > 1, word[1] < Self.firstIdeograph else { return }
        hashes.append(Self.hash(word[1...], seed: 1) | 1)
        word.append(Self.boundary)
        for length in Self.runLengths where length < word.count {
            for start in 0...(word.count - length) {
                let run = word[start..<(start + length)]
                hashes.append(Self.hash(run, seed: UInt64(length) << 32) & ~1)
            }
        }
    }

    private static func hash(_ scalars: ArraySlice<UInt32>, seed: UInt64) -> UInt64 {
        var hash = seed &+ 0x9E37_79B9_7F4A_7C15
        for scalar in scalars { hash = (hash ^ UInt64(scalar)) &* 0xD6E8_FEB8_6659_FD93 }
        return mix64(hash)
    }
}
