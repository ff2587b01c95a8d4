import LociBase
import LociText
import Testing

private let splitter = PassageSplitter()

private func visible(_ text: String) -> [Unicode.Scalar] {
    text.unicodeScalars.filter { !$0.properties.isWhitespace }
}

@Suite struct PassageSplitterTests {
    @Test func passagesHoldAllOfTheTextInOrderAndNoneIsTooLong() {
        var random = SeededRandom(seed: 1)
        let pieces = [
            "word", " ", "\n", "\n\n", "# Heading\n", ". ", "    ", "ü", "漢字。", "\r\n", "\t",
            String(repeating: "x", count: 700), String(repeating: "long words ", count: 40),
        ]
        for _ in 0..<150 {
            let text = (0..<random.below(120)).map { _ in pieces[random.below(pieces.count)] }
                .joined()
            let passages = splitter.split(text, path: "a.md")
            #expect(visible(passages.map(\.text).joined()) == visible(text))
            for passage in passages {
                let count = passage.text.unicodeScalars.count
                #expect(count <= PassageSplitter.maximumLength)
                #expect(!visible(passage.text).isEmpty)
            }
        }
    }

    @Test func aPassageStartsOnTheLineThatItNames() {
        var random = SeededRandom(seed: 2)
        let lines = (0..<400).map { line in
            random.chance(0.2)
                ? "" : "line\(line) " + String(repeating: "w ", count: random.below(60))
        }
        let passages = splitter.split(lines.joined(separator: "\n"), path: "b.txt")
        #expect(passages.count > 10)
        for passage in passages {
            #expect(passage.text.hasPrefix("line\(passage.line - 1) "))
            #expect(passage.path == "b.txt")
        }
    }

    @Test func shortParagraphsComeTogetherAndLongOnesPart() {
        let short = Array(repeating: String(repeating: "abc ", count: 20), count: 30)
        let together = splitter.split(short.joined(separator: "\n\n"), path: "")
        #expect((4...6).contains(together.count))
        let sentence = "This is a sentence of some words. "
        let long = splitter.split(String(repeating: sentence, count: 200), path: "")
        #expect(long.count > 5)
        for passage in long {
            #expect(passage.text.hasSuffix("words."))
            #expect(passage.text.hasPrefix("This"))
        }
    }

    @Test func aHeadingStartsAPassage() {
        let paragraph = String(repeating: "Some words of prose. ", count: 10)
        let passages = splitter.split(
            "# One\n\n\(paragraph)\n\n## Two\n\n\(paragraph)\n", path: "")
        #expect(passages.map(\.line) == [1, 5])
        #expect(passages[1].text.hasPrefix("## Two"))
    }

    @Test func nothingGivesNothing() {
        #expect(splitter.split("", path: "").isEmpty)
        #expect(splitter.split(" \n\n\t\r\n", path: "").isEmpty)
    }
}
