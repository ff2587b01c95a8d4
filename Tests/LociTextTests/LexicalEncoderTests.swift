import LociBase
import LociModel
import LociText
import Testing

private func similarity(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}

@Suite struct LexicalEncoderTests {
    private func taught(_ texts: [String]) -> LexicalEncoder {
        var encoder = LexicalEncoder()
        for text in texts { encoder.learn(text) }
        return encoder
    }

    @Test func everyTextWithALetterOrDigitHasACodeOfLengthOne() {
        let encoder = taught(["a text", "another text"])
        let texts = ["a", "7", "The quick brown fox", "über", "Привет мир", "猫が好き", "a a a a"]
        for text in texts {
            for isQuery in [false, true] {
                let code = encoder.encode(text, isQuery: isQuery)
                #expect(code.count == LexicalEncoder.dimension)
                #expect(abs(similarity(code, code) - 1) < 1e-4, "\(text)")
            }
        }
        for text in ["", " \n\t", "... --- !?"] {
            #expect(encoder.encode(text, isQuery: false).allSatisfy { $0 == 0 })
        }
    }

    @Test func caseAndPunctuationDoNotMatter() {
        let encoder = taught(["Die Straße", "the patent licence"])
        let pairs = [
            ("Patent LICENCE, granted!", "patent licence granted"), ("ÜBER Земля", "über земля"),
        ]
        for (a, b) in pairs {
            #expect(encoder.encode(a, isQuery: false) == encoder.encode(b, isQuery: false))
        }
    }

    @Test func rareWordsWeighMoreThanCommonOnes() {
        let common = (0..<200).map { "the report of the day says that number \($0) is here" }
        let encoder = taught(common + ["the patent"])
        let query = encoder.encode("the patent", isQuery: true)
        let rare = similarity(query, encoder.encode("patent granted", isQuery: false))
        let frequent = similarity(query, encoder.encode("the day", isQuery: false))
        #expect(rare > 2 * frequent)
    }

    @Test func formsOfAWordAreNearerThanOtherWords() {
        let encoder = taught((0..<100).map { "number \($0)" })
        let query = encoder.encode("licensing", isQuery: true)
        let form = similarity(query, encoder.encode("licensed", isQuery: false))
        let other = similarity(query, encoder.encode("banana", isQuery: false))
        #expect(form > 0.15 && form > other + 0.1)
    }

    @Test func partsOfTextWithoutSpacesAreFound() {
        let encoder = taught(["私の猫は魚が好きです", "犬は庭で走ります"])
        let query = encoder.encode("猫", isQuery: true)
        let right = similarity(query, encoder.encode("私の猫は魚が好きです", isQuery: false))
        let wrong = similarity(query, encoder.encode("犬は庭で走ります", isQuery: false))
        #expect(right > wrong + 0.1)
    }

    @Test func theOrderOfLearningDoesNotMatter() {
        let texts = (0..<50).map { "text \($0) about \($0 * 7 % 13) things" }
        let forward = taught(texts)
        let backward = taught(texts.reversed())
        #expect(forward.encodedState == backward.encodedState)
        #expect(
            forward.encode("text 7 things", isQuery: true)
                == backward.encode("text 7 things", isQuery: true))
    }

    @Test func whatWasLearnedSurvivesStorage() throws {
        let encoder = taught((0..<300).map { "passage number \($0) of a long book" })
        let state = encoder.encodedState
        let restored = try LexicalEncoder(encodedState: state)
        #expect(restored.encodedState == state)
        #expect(
            restored.encode("a long passage", isQuery: false)
                == encoder.encode("a long passage", isQuery: false))
        #expect(LexicalEncoder().encodedState.count < 64)
    }

    @Test func aDamagedStateIsAnErrorAndNeverACrash() {
        let state = taught(["some words to learn", "and some more"]).encodedState
        for count in 0..<state.count {
            #expect(throws: LociError.self) {
                _ = try LexicalEncoder(encodedState: state.slice(0..<count))
            }
        }
        var random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            var bytes = state.array
            for _ in 0...random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            _ = try? LexicalEncoder(encodedState: Bytes(bytes))
        }
        #expect(throws: LociError.self) {
            _ = try LexicalEncoder(encodedState: Bytes(state.array + [0]))
        }
    }
}
