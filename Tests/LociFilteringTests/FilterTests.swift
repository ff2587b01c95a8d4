import LociBase
import LociModel
import Testing

@Suite struct FilterTests {
    @Test(arguments: 0..<8) func `a filter says what a naive evaluator says of the same payload`(
        part: Int
    ) throws {
        var random = SeededRandom(seed: UInt64(part))
        var (yes, no) = (0, 0)
        for _ in 0..<250 {
            let condition = Condition.random(&random)
            let text = condition.text(&random)
            let filter = try Filter(text)
            for _ in 0..<12 {
                let payload = JSON.object(JSON.fields(&random, depth: 0))
                let bytes = payload.text(&random)
                let holds = condition.holds(payload)
                #expect(
                    filter.matches(payload: Bytes(utf8: bytes)) == holds, "\(text) -- \(bytes)")
                if holds { yes += 1 } else { no += 1 }
            }
        }
        #expect(yes > 200 && no > 200, "the trial tells nothing")
    }

    @Test func `the canonical text reads back as the same filter`() throws {
        var random = SeededRandom(seed: 77)
        for _ in 0..<2000 {
            let text = Condition.random(&random).text(&random)
            let filter = try Filter(text)
            let again = try Filter(filter.text)
            #expect(again == filter && again.text == filter.text, "\(text)")
        }
    }

    @Test(arguments: [
        ("topic = \"sport\" and year >= 2024", #"topic = "sport" and year >= 2024"#),
        ("a=1 or b=2 and not c=3", "a = 1 or b = 2 and not c = 3"),
        ("(a=1 or b=2) AND c<>'x'", #"(a = 1 or b = 2) and c != "x""#),
        ("not (a = 1 and (b = 2 and c = 3))", "not (a = 1 and b = 2 and c = 3)"),
        ("not not exists author.name", "exists author.name"),
        ("t in ('b', \"a\", 'b', 2, 1.0)", #"t in (1, 2, "a", "b")"#),
        ("t not in (null)", "t != null"),
        ("`a``b`.`in` < 1e3", "`a``b`.`in` < 1000"),
        ("x > -2.50", "x > -2.5"), ("x = 18446744073709551616", "x = 1.8446744073709552e+19"),
        (#"x = 'it\'s "\u00e9"'"#, #"x = "it's \"é\"""#),
    ])
    func `filters have one spelling`(text: String, canonical: String) throws {
        #expect(try Filter(text).text == canonical)
    }

    @Test(arguments: [
        ("", 1, "a field, 'not', 'exists' or '(' expected, found the end"),
        ("year", 5, "a comparison (= != < <= > >= in, not in) expected, found the end"),
        ("year = ", 8, "a value"), ("topic = sport", 9, "a value expected, found the name 'sport'"),
        ("year >= true", 9, "a number or a string expected behind '>='"),
        ("a = 1 b = 2", 7, "'and', 'or' or the end of the filter expected, found 'b'"),
        ("(a = 1", 7, "'and', 'or' or ')' expected"), ("a in 1", 6, "'(' and a list"),
        ("a in ()", 7, "a value"), ("a in (1 2)", 9, "',' or ')' expected, found '2'"),
        ("a not = 1", 7, "'in' expected"), ("é = \"x", 5, "a string that does not end"),
        ("a = \"\\q\"", 5, "a string"), ("a = 01", 5, "a number"), ("a = 1e999", 5, "a number"),
        ("a = 1and b = 2", 5, "a number"), ("a = -", 5, "a number"),
        ("a. = 1", 4, "the name of a field"),
        ("a ; b", 3, "';' does not belong here"), ("`a = 1", 1, "a name in backquotes"),
        ("and = 1", 1, "a field"), ("2024 < year", 1, "a field"), ("a = {}", 5, "'{' does not"),
    ])
    func `a wrong filter names the column and what was expected`(
        text: String, column: Int, message: String
    ) throws {
        let error = #expect(throws: LociError.self) { try Filter(text) }
        #expect(error?.code == .invalidArgument)
        let found = error?.message ?? ""
        #expect(found.hasPrefix("Column \(column) of the filter: \(message)"), "\(found)")
        #expect(error?.advice.isEmpty == false)
    }

    @Test(arguments: [
        ("exists(topic)", "exists topic"), ("exists ( a.b )", "exists a.b"),
        ("not exists(a) and exists(b)", "not exists a and exists b"),
        ("a == 1", "a = 1"), ("exists `(`", "exists `(`"),
    ])
    func `spellings of other languages are understood`(text: String, canonical: String) throws {
        #expect(try Filter(text).text == canonical)
        #expect(try Filter(canonical) == Filter(text))
    }

    @Test(arguments: [
        ("topic is null", 7, "'not exists topic'"), ("a.b IS NOT NULL", 5, "'exists a.b'"),
        ("a = 1 && b = 2", 7, "Write 'and'"), ("a = 1 || b = 2", 7, "Write 'or'"),
        ("!draft", 1, "Write 'not'"), ("a = 1 & b = 2", 7, "Write 'and'"),
        ("topic = “sport”", 9, "straight"), ("topic = ‘two words’", 9, "straight"),
        ("a in («b»)", 7, "straight"), ("topic = sport", 9, "in quotes: \"sport\""),
        ("exists(a = 1)", 10, "A filter reads like"), ("exists()", 8, "A filter reads like"),
        ("exists(a", 9, "A filter reads like"),
    ])
    func `what other languages write is answered with what to write here`(
        text: String, column: Int, advice: String
    ) throws {
        let error = #expect(throws: LociError.self) { try Filter(text) }
        #expect(error?.message.hasPrefix("Column \(column) of") == true, "\(error?.message ?? "")")
        #expect(error?.advice.contains(advice) == true, "\(error?.advice ?? "")")
    }

    @Test func `filters are bounded in length, depth, comparisons, lists and paths`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "a = 1" + String(repeating: ")", count: depth)
        }
        func list(_ count: Int) -> String {
            "a in (" + (0..<count).map(String.init).joined(separator: ",") + ")"
        }
        func chain(_ count: Int) -> String {
            [String](repeating: "a = 1", count: count).joined(separator: " or ")
        }
        func path(_ count: Int) -> String {
            [String](repeating: "a", count: count).joined(separator: ".") + " = 1"
        }
        func long(_ count: Int) -> String { "a = '" + String(repeating: "x", count: count) + "'" }
        for (fits, not) in [
            (nested(FilterLimits.depth), nested(FilterLimits.depth + 1)),
            (
                String(repeating: "not ", count: FilterLimits.depth) + "a = 1",
                String(repeating: "not ", count: 100_000 / 16) + "a = 1"
            ),
            (list(FilterLimits.listValues), list(FilterLimits.listValues + 1)),
            (chain(FilterLimits.comparisons), chain(FilterLimits.comparisons + 1)),
            (path(FilterLimits.pathNames), path(FilterLimits.pathNames + 1)),
            (long(Limits.filterBytes - 6), long(Limits.filterBytes - 5)),
        ] {
            let filter = try Filter(fits)
            #expect(try Filter(filter.text) == filter)
            let error = #expect(throws: LociError.self) { try Filter(not) }
            #expect(error?.code == .invalidArgument)
        }
        // Short as written, too long as it would travel.
        let quotes = "a = '" + String(repeating: "\"", count: Limits.filterBytes - 10) + "'"
        #expect(throws: LociError.self) { try Filter(quotes) }
    }

    @Test func `a payload that is not one whole JSON object has no values`() throws {
        let (has, lacks) = (try Filter("a = 1"), try Filter("not a = 1"))
        #expect(has.matches(payload: Bytes(utf8: " {\"a\": 1} ")))
        let deep = FilterLimits.payloadDepth - 1
        func nested(_ depth: Int) -> String {
            "{\"a\":1,\"b\":" + String(repeating: "[", count: depth)
                + String(repeating: "]", count: depth) + "}"
        }
        #expect(has.matches(payload: Bytes(utf8: nested(deep))))
        var damaged = [
            "", "1", "[{\"a\":1}]", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,}", "{\"a\":1 \"b\":2}",
            "{\"a\":1,\"b\":01}", "{\"a\":1,\"b\":.5}", "{\"a\":1,\"b\":1.}", "{\"a\":1,\"b\":+1}",
            "{\"a\":1,\"b\":1e}", "{\"a\":1,\"b\":tru}", "{\"a\":1,\"b\":\"\\x\"}",
            "{\"a\":1,\"b\":\"\\'\"}", "{\"a\":1,\"b\":\"\n\"}", "{\"a\":1,\"b\":\"\\u12g4\"}",
            "{\"a\":1,b:2}", "{'a':1}", "{\"a\":1,\"b\":NaN}", nested(deep + 1), nested(30_000),
        ].map { Array($0.utf8) }
        // Not UTF-8: a lone byte, an overlong form, half a surrogate pair, cut off.
        for bytes in [
            [0x80], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2],
        ]
            as [[UInt8]]
        {
            damaged.append(Array("{\"a\":1,\"b\":\"".utf8) + bytes + Array("\"}".utf8))
        }
        for payload in damaged {
            let text = String(decoding: payload, as: UTF8.self).prefix(60)
            #expect(!has.matches(payload: Bytes(payload)), "\(text)")
            #expect(lacks.matches(payload: Bytes(payload)), "\(text)")
        }
    }

    @Test func `bytes that were cut or changed never trap`() throws {
        var random = SeededRandom(seed: 5)
        let filters = try (0..<40).map { _ in try Filter(Condition.random(&random).text(&random)) }
        let signs = Array("{}[]\",:\\u0-.eEtfn \u{80}".utf8) + [0xC3, 0xED, 0xF0, 0xFF]
        for round in 0..<4000 {
            var bytes = Array(JSON.object(JSON.fields(&random, depth: 0)).text(&random).utf8)
            if random.chance(0.5) { bytes.removeLast(random.below(bytes.count + 1)) }
            for _ in 0..<random.below(4) where !bytes.isEmpty {
                bytes[random.below(bytes.count)] = signs[random.below(signs.count)]
            }
            let filter = filters[round % filters.count]
            _ = filter.matches(payload: Bytes(bytes))
            _ = try? Filter(String(decoding: bytes, as: UTF8.self))
            var text = Array(filter.text.utf8)
            text[random.below(text.count)] = signs[random.below(signs.count)]
            _ = try? Filter(String(decoding: text, as: UTF8.self))
        }
    }

    @Test func `numbers are read to the nearest double, as the library reads them`() throws {
        var random = SeededRandom(seed: 9)
        let fields = PayloadFields([try FieldPath("a")])
        for _ in 0..<3000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let text =
                random.chance(0.5)
                ? value.description
                : "\(random.below(99999)).\(random.below(999_999))e\(random.below(60) - 30)"
            let found = fields.values(in: Bytes(utf8: "{\"a\":\(text)}"))
            #expect(found == [[.number(Double(text)!)]], "\(text)")
        }
        #expect(fields.values(in: Bytes(utf8: "{\"a\":1e-400}")) == [[.integer(0)]])
    }
}
