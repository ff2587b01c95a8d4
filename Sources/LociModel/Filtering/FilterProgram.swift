import LociBase

/// A filter made ready to run: what each field is asked, and how the answers combine.
///
/// Invariants:
/// - Fields and tests are at most 64 each, so that a run keeps its answers in two words, and what
///   it has combined in a third.
final class FilterProgram: Sendable {
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

    /// Steps in postfix order: each takes the bits that it combines and leaves its own.
    private enum Step: Sendable {
        case exists(field: UInt8)
        case holds(test: UInt8)
        case lacks(field: UInt8, test: UInt8)
        case not
        case all(UInt8)
        case any(UInt8)
    }

    /// Bits of what the payload has shown.
    private struct Answers {
        var fields: UInt64 = 0
        var tests: UInt64 = 0
    }

    private let fields: PayloadFields
    private let tests: [[Test]]
    private let steps: [Step]

    init(_ expression: FilterExpression) {
        precondition(expression.leafCount <= FilterLimits.comparisons)
        var compiler = Compiler()
        compiler.append(expression)
        steps = compiler.steps
        tests = compiler.tests
        fields = PayloadFields(compiler.paths)
    }

    func matches(_ payload: Bytes) -> Bool {
        var answers = Answers()
        let isWhole = payload.withSpan { text in
            fields.scan(text) { field, value in ask(field, value, text, &answers) }
        }
        return combined(isWhole ? answers : Answers())
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
            let order = text.compare(range, with: utf8.span, utf8.indices)
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
            let string = sorted[middle]
            let order = text.compare(range, with: string.span, string.indices)
            if order == 0 { return true }
            if order > 0 { low = middle + 1 } else { high = middle }
        }
        return false
    }

    private func combined(_ answers: Answers) -> Bool {
        var stack: UInt64 = 0
        for step in steps {
            switch step {
            case .exists(let field): stack = stack << 1 | answers.fields >> UInt64(field) & 1
            case .holds(let test): stack = stack << 1 | answers.tests >> UInt64(test) & 1
            case .lacks(let field, let test):
                let lacks = ~answers.tests >> UInt64(test)
                stack = stack << 1 | answers.fields >> UInt64(field) & lacks & 1
            case .not: stack ^= 1
            case .all(let count):
                let parts = UInt64.max >> UInt64(64 - count)
                stack = (stack >> UInt64(count)) << 1 | (stack & parts == parts ? 1 : 0)
            case .any(let count):
                let parts = UInt64.max >> UInt64(64 - count)
                stack = (stack >> UInt64(count)) << 1 | (stack & parts != 0 ? 1 : 0)
            }
        }
        return stack & 1 == 1
    }

    private struct Compiler {
        var paths: [FieldPath] = []
        var tests: [[Test]] = []
        var steps: [Step] = []
        private var testCount = 0

        mutating func append(_ expression: FilterExpression) {
            switch expression {
            case .exists(let path): steps.append(.exists(field: UInt8(field(path))))
            case .oneOf(let path, let values):
                steps.append(.holds(test: test(field(path), Self.list(values))))
            case .noneOf(let path, let values):
                let field = field(path)
                let test = test(field, Self.list(values))
                steps.append(.lacks(field: UInt8(field), test: test))
            case .compares(let path, let comparison, let bound):
                var utf8: [UInt8] = []
                if case .string(let text) = bound { utf8 = Array(text.utf8) }
                let question = Test.Question.compares(comparison, bound, utf8: utf8)
                steps.append(.holds(test: test(field(path), question)))
            case .not(let part):
                append(part)
                steps.append(.not)
            case .all(let parts):
                for part in parts { append(part) }
                steps.append(.all(UInt8(parts.count)))
            case .any(let parts):
                for part in parts { append(part) }
                steps.append(.any(UInt8(parts.count)))
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

        private mutating func test(_ field: Int, _ question: Test.Question) -> UInt8 {
            tests[field].append(Test(bit: testCount, question: question))
            testCount += 1
            return UInt8(testCount - 1)
        }
    }
}
