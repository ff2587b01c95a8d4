import LociBase

/// A filter made ready to run: what each field is asked, and how the answers combine.
///
/// Invariants:
/// - Fields and tests are at most 64 each, so that a run keeps its answers in two words.
struct FilterProgram: Sendable {
    /// One question to the values of a field.
    private struct Test: Sendable {
        enum Question: Sendable {
            /// Sorted; strings apart, as UTF-8.
            case oneOf(strings: [[UInt8]], others: [FieldValue])
            case compares(FilterExpression.Comparison, FieldValue, utf8: [UInt8])
        }
        var bit: Int
        var question: Question
    }

    private indirect enum Node: Sendable {
        case exists(field: Int)
        case holds(test: Int)
        case lacks(field: Int, test: Int)
        case not(Node)
        case all([Node])
        case any([Node])
    }

    /// Bits of what the payload has shown.
    private struct Answers {
        var fields: UInt64 = 0
        var tests: UInt64 = 0
    }

    private let fields: PayloadFields
    private let tests: [[Test]]
    private let root: Node

    init(_ expression: FilterExpression) {
        precondition(expression.leafCount <= FilterLimits.comparisons)
        var compiler = Compiler()
        root = compiler.node(expression)
        tests = compiler.tests
        fields = PayloadFields(compiler.paths)
    }

    func matches(_ payload: Bytes) -> Bool {
        var answers = Answers()
        let isWhole = payload.withSpan { text in
            fields.scan(text) { field, value in ask(field, value, text, &answers) }
        }
        return holds(root, isWhole ? answers : Answers())
    }

    private func ask(
        _ field: Int, _ value: PayloadFields.Scanned, _ text: Span<UInt8>,
        _ answers: inout Answers
    ) {
        answers.fields |= 1 << UInt64(field)
        for test in tests[field] where answers.tests >> UInt64(test.bit) & 1 == 0 {
            if Self.holds(test.question, value, text) { answers.tests |= 1 << UInt64(test.bit) }
        }
    }

    private static func holds(
        _ question: Test.Question, _ value: PayloadFields.Scanned, _ text: Span<UInt8>
    ) -> Bool {
        switch (value, question) {
        case (.plain(let value), .oneOf(_, let others)): return others.containsSorted(value)
        case (.plain(let value), .compares(let comparison, let bound, _)):
            return comparison.holds(value, bound)
        case (.string(let string), _):
            if string.hasEscapes {
                let plain = JSONCursor.plain(string, text)
                return holds(question, plain.indices, plain.span)
            }
            return holds(question, string.range, text)
        }
    }

    /// For a string without escapes.
    private static func holds(
        _ question: Test.Question, _ range: Range<Int>, _ text: Span<UInt8>
    ) -> Bool {
        switch question {
        case .oneOf(let strings, _): return contains(strings, range, text)
        case .compares(let comparison, let bound, let utf8):
            guard case .string = bound else { return false }
            let order = text.compare(range, with: utf8)
            return switch comparison {
            case .less: order < 0
            case .lessOrEqual: order <= 0
            case .greater: order > 0
            case .greaterOrEqual: order >= 0
            }
        }
    }

    private static func contains(
        _ sorted: [[UInt8]], _ range: Range<Int>, _ text: Span<UInt8>
    ) -> Bool {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            let order = text.compare(range, with: sorted[middle])
            if order == 0 { return true }
            if order > 0 { low = middle + 1 } else { high = middle }
        }
        return false
    }

    private func holds(_ node: Node, _ answers: Answers) -> Bool {
        switch node {
        case .exists(let field): answers.fields >> UInt64(field) & 1 == 1
        case .holds(let test): answers.tests >> UInt64(test) & 1 == 1
        case .lacks(let field, let test):
            answers.fields >> UInt64(field) & 1 == 1 && answers.tests >> UInt64(test) & 1 == 0
        case .not(let part): !holds(part, answers)
        case .all(let parts): parts.allSatisfy { holds($0, answers) }
        case .any(let parts): parts.contains { holds($0, answers) }
        }
    }

    private struct Compiler {
        var paths: [FieldPath] = []
        var tests: [[Test]] = []
        private var testCount = 0

        mutating func node(_ expression: FilterExpression) -> Node {
            switch expression {
            case .exists(let path): return .exists(field: field(path))
            case .oneOf(let path, let values):
                return .holds(test: test(field(path), Self.list(values)))
            case .noneOf(let path, let values):
                let field = field(path)
                return .lacks(field: field, test: test(field, Self.list(values)))
            case .compares(let path, let comparison, let bound):
                var utf8: [UInt8] = []
                if case .string(let text) = bound { utf8 = Array(text.utf8) }
                return .holds(
                    test: test(field(path), .compares(comparison, bound, utf8: utf8)))
            case .not(let part): return .not(node(part))
            case .all(let parts): return .all(parts.map { node($0) })
            case .any(let parts): return .any(parts.map { node($0) })
            }
        }

        private static func list(_ values: [FieldValue]) -> Test.Question {
            var strings: [[UInt8]] = []
            var others: [FieldValue] = []
            for value in values {
                if case .string(let text) = value {
                    strings.append(Array(text.utf8))
                } else {
                    others.append(value)
                }
            }
            return .oneOf(strings: strings, others: others)
        }

        private mutating func field(_ path: FieldPath) -> Int {
            if let known = paths.firstIndex(of: path) { return known }
            paths.append(path)
            tests.append([])
            return paths.count - 1
        }

        private mutating func test(_ field: Int, _ question: Test.Question) -> Int {
            tests[field].append(Test(bit: testCount, question: question))
            testCount += 1
            return testCount - 1
        }
    }
}
