/// A piece of a text, small enough to be shown as an answer.
public struct Passage: Equatable, Sendable {
    public var text: String
    /// The file it came from, as the splitter was told.
    public var path: String
    /// Line on which it starts, from 1.
    public var line: Int

    public init(text: String, path: String, line: Int) {
        self.text = text
        self.path = path
        self.line = line
    }
}
