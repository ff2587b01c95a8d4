import LociBase
import LociImport
import LociModel
import Testing

@Suite struct JSONLinesTests {
    private let scratch = Scratch()

    @Test func idsDefaultToLineNumbersAndPayloadsStayAsTheyAre() throws {
        let path = scratch.write(
            "a.jsonl",
            """
            {"vector": [1, -2.5e0], "payload": {"a": [1,{"b":null}], "c":"\\u00fc\\n"}}

            { "id" : 18446744073709551615 , "vector":[0.1,3] }\r
            {"payload":{},"vector":[1e-3,0],"id":0}
            """)
        let all = try readAll(path)
        #expect(all.ids == [1, .max, 0])
        #expect(all.vectors == [1, -2.5, 0.1, 3, 1e-3, 0])
        #expect(all.payloads == ["{\"a\": [1,{\"b\":null}], \"c\":\"\\u00fc\\n\"}", "", "{}"])
    }

    @Test func textsAreUnescapedAndShownInTheirPayload() throws {
        let path = scratch.write(
            "a.jsonl",
            #"{"text":"a \"b\" \\ \/ \u00e9 \ud83d\ude00 \ud83d x\n"}"# + "\n"
                + #"{"id":5,"text":"with payload","payload":{"k":1}}"#)
        let all = try readAll(path)
        #expect(all.texts == ["a \"b\" \\ / é 😀 \u{FFFD} x\n", "with payload"])
        #expect(all.payloads[0] == #"{"text":"a \"b\" \\ / é 😀 � x\n"}"#)
        #expect(all.payloads[1] == "{\"k\":1}")
        #expect(all.ids == [1, 5])
        #expect(try Import.describe(path: path).isText)
    }

    @Test(arguments: [
        ("[1]", "not a JSON object"), ("{\"vector\":[1,2]", "not a JSON object"),
        ("{\"vector\":[1,2]} x", "not a JSON object"), ("{\"vector\":[1,2],}", "not a JSON object"),
        ("{\"vector\":[1,]}", "array of numbers"), ("{\"vector\":[NaN,1]}", "array of numbers"),
        ("{\"vector\":[01,1]}", "array of numbers"), ("{\"vector\":[\"1\",1]}", "array of numbers"),
        ("{\"vector\":[1e999,1]}", "beyond float32"), ("{\"vector\":[]}", "dimension 0"),
        ("{\"vector\":[1,2,3]}", "dimension 3"), ("{\"text\":\"x\"}", "a text"),
        ("{\"id\":-1,\"vector\":[1,2]}", "whole number"),
        ("{\"id\":1.5,\"vector\":[1,2]}", "whole number"), ("{\"id\":1}", "either"),
        ("{\"vector\":[1,2],\"text\":\"x\"}", "either"),
        ("{\"vector\":[1,2],\"vector\":[1,2]}", "twice"),
        ("{\"vector\":[1,2],\"name\":1}", "unknown key 'name'"),
        ("{\"vector\":[1,2],\"payload\":[1]}", "no object"),
        ("{\"vector\":[1,2],\"payload\":{\"a\"}}", "JSON"),
    ])
    func aWrongLineIsNamedAndExplained(line: String, reason: String) {
        let error = failure(scratch.write("a.jsonl", "{\"vector\":[1,2]}\n\(line)\n"))
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("Line 2 ") == true, "\(String(describing: error))")
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func deepNestingAndLongLinesAreRefused() {
        let deep = String(repeating: "[", count: 100_000)
        let nested = "{\"vector\":[1],\"payload\":{\"a\":\(deep)}}"
        let refused = failure(scratch.write("a.jsonl", nested))
        #expect(refused?.code == .invalidArgument)
        #expect(refused?.message.contains("more than 64 objects and arrays") == true)
        #expect(failure(scratch.write("d.jsonl", "\u{FEFF}{\"vector\":[1]}\n")) == nil)
        let long = [UInt8](repeating: 0x20, count: 5 << 20)
        #expect(failure(scratch.write("b.jsonl", long))?.message.contains("4 MiB") == true)
        let invalid = Array("{\"text\":\"".utf8) + [0xFF, 0xFE] + Array("\"}".utf8)
        #expect(failure(scratch.write("c.jsonl", invalid))?.message.contains("UTF-8") == true)
    }

    @Test func mutatedLinesNeverCrash() {
        let whole = Array(
            #"{"id":3,"vector":[1.5e-2,-7],"payload":{"a":["\u00fc\\",true,null,{"b":1}]}}"#.utf8)
        let signs = Array("{}[]\",:\\ue-+.019tfn \u{0}\n".utf8)
        var random = SeededRandom(seed: 5)
        for _ in 0..<1500 {
            var bytes = whole
            for _ in 0...random.below(4) {
                let position = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[position] = signs[random.below(signs.count)]
                case 1: bytes.remove(at: position)
                default: bytes.insert(signs[random.below(signs.count)], at: position)
                }
            }
            _ = failure(scratch.write("a.jsonl", bytes))
        }
    }
}
