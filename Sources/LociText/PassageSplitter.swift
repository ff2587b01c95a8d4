/// Cuts prose and source code into passages.
///
/// Invariants:
/// - Passages follow one another in the order of the text, and hold every character of it that is
///   not white space.
/// - No passage is empty or has more than `maximumLength` scalars.
/// - A passage breaks at a blank line or before a heading where it can, else after a line, else
///   after a sentence, else between words, and only within a word longer than a passage.
public struct PassageSplitter: Sendable {
    /// Paragraphs are put together up to this length, in Unicode scalars.
    public static let targetLength = 600
    /// No passage is longer, in Unicode scalars.
    public static let maximumLength = 1200
    /// What is shorter, such as a title, does not stand alone when what follows has room for it.
    static let minimumLength = 120

    public init() {}

    /// The passages of one file's text, in order.
    public func split(_ text: String, path: String) -> [Passage] {
        var builder = PassageBuilder(path: path)
        var line = 1
        for content in text.utf8.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        {
            builder.add(Substring(content), line: line)
            line += 1
        }
        return builder.finish()
    }
}

/// Paragraphs on their way into passages.
private struct PassageBuilder {
    private struct Block {
        var text = ""
        var length = 0
        var line = 0

        mutating func append(_ addition: String, length added: Int, line: Int, gap: String) {
            if text.isEmpty {
                self.line = line
                text = addition
                length = added
            } else {
                text += gap + addition
                length += gap.unicodeScalars.count + added
            }
        }
    }

    private let path: String
    private var passages: [Passage] = []
    /// What the next passage holds so far.
    private var gathered = Block()
    /// The paragraph that is being read.
    private var paragraph = Block()

    init(path: String) { self.path = path }

    mutating func add(_ content: Substring, line: Int) {
        let trimmed = content.trimmingEnd()
        if trimmed.isEmpty {
            closeParagraph()
            return
        }
        if isHeading(trimmed) {
            closeParagraph()
            if gathered.length >= PassageSplitter.minimumLength { flush() }
        }
        for piece in pieces(of: trimmed) {
            let length = piece.unicodeScalars.count
            let isFull =
                paragraph.length + 1 + length > PassageSplitter.maximumLength
                || paragraph.length >= PassageSplitter.targetLength
            if isFull { closeParagraph() }
            paragraph.append(String(piece), length: length, line: line, gap: "\n")
        }
    }

    mutating func finish() -> [Passage] {
        closeParagraph()
        flush()
        return passages
    }

    private mutating func closeParagraph() {
        guard !paragraph.text.isEmpty else { return }
        let together = gathered.length + 2 + paragraph.length
        let isShort =
            gathered.length < PassageSplitter.minimumLength
            && together <= PassageSplitter.maximumLength
        if together > PassageSplitter.targetLength && !isShort { flush() }
        gathered.append(
            paragraph.text, length: paragraph.length, line: paragraph.line, gap: "\n\n")
        paragraph = Block()
    }

    private mutating func flush() {
        guard !gathered.text.isEmpty else { return }
        passages.append(Passage(text: gathered.text, path: path, line: gathered.line))
        gathered = Block()
    }

    /// Markdown's `# Title`, at most six signs and a space.
    private func isHeading(_ line: Substring) -> Bool {
        let signs = line.prefix(7).prefix { $0 == "#" }.count
        return (1...6).contains(signs) && line.dropFirst(signs).first == " "
    }

    /// A line as it is, or one that is too long in parts that are not.
    private func pieces(of line: Substring) -> [Substring] {
        if line.utf8.count <= PassageSplitter.maximumLength { return [line] }
        var parts: [Substring] = []
        var rest = line
        while let cut = cutPosition(of: rest) {
            let part = rest[..<cut].trimmingEnd()
            if !part.isEmpty { parts.append(part) }
            rest = rest[cut...].trimmingStart()
        }
        if !rest.isEmpty { parts.append(rest) }
        return parts
    }

    /// Where to cut, or nil when the text is short enough: after the last sentence that ends in the
    /// second half of the maximum, else after the last space, else at the maximum.
    private func cutPosition(of text: Substring) -> Substring.Index? {
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        var sentence: Substring.Index?
        var space: Substring.Index?
        var previous: Unicode.Scalar = " "
        for position in 0..<PassageSplitter.maximumLength {
            if index == scalars.endIndex { return nil }
            let scalar = scalars[index]
            let isSpace = scalar.properties.isWhitespace
            if isSpace { space = index }
            let endsSentence =
                isSpace && ".!?".unicodeScalars.contains(previous)
                || "。！？".unicodeScalars.contains(previous)
            if endsSentence && position > PassageSplitter.targetLength / 2 {
                sentence = index
                if position >= PassageSplitter.targetLength { break }
            }
            previous = scalar
            scalars.formIndex(after: &index)
        }
        if index == scalars.endIndex { return nil }
        return sentence ?? space ?? index
    }
}

extension Substring {
    fileprivate func trimmingEnd() -> Substring {
        var end = endIndex
        while end > startIndex {
            let before = unicodeScalars.index(before: end)
            guard unicodeScalars[before].properties.isWhitespace else { break }
            end = before
        }
        return self[..<end]
    }

    fileprivate func trimmingStart() -> Substring {
        guard let first = unicodeScalars.firstIndex(where: { !$0.properties.isWhitespace })
        else { return self[endIndex...] }
        return self[first...]
    }
}
