import LociModel

/// Which cells have which values of one field.
///
/// Distinct values are terms. Each term has its cells in a doubly linked list through two columns,
/// and each cell has its term in a third: a rare value is answered by walking its list, a frequent
/// one or a wide range by scanning the column, which is in order in memory. A cell's second and
/// further values (of an array) are nodes of their own.
///
/// Memory: 12 bytes for each cell; 28 for each distinct value, and its text if that has more than
/// 15 bytes; about 40 for each further value of a cell. Growing arrays have up to as much again in
/// reserve.
///
/// Invariants:
/// - Nodes below `furtherBase` are cells, those above are in `further`; `none` is no node and no
///   term.
/// - A cell has a term if and only if it is in `present`; `counts` and the lists agree with the
///   columns. No cell has a term twice.
/// - Terms without cells are in `freeTerms` and not in `order`.
struct FieldIndex: Sendable {
    struct Further: Sendable {
        var cell: UInt32
        var term: UInt32
        var next: UInt32
        var previous: UInt32
        /// The same cell's next one.
        var sibling: UInt32
    }

    static let none = UInt32.max
    static let furtherBase: UInt32 = 1 << 31
    /// A list is walked while it has at most this share of the cells; beyond, a scan is cheaper.
    static let cellsPerWalkedCell = 16

    let path: FieldPath
    private(set) var terms: [UInt32] = []
    private var next: [UInt32] = []
    private var previous: [UInt32] = []
    private(set) var values: [FieldValue] = []
    private var heads: [UInt32] = []
    private(set) var counts: [UInt32] = []
    private var freeTerms: [UInt32] = []
    private(set) var order = TermOrder()
    private(set) var further: [Further] = []
    private var freeFurther: [UInt32] = []
    private var firstFurther: [UInt32: UInt32] = [:]
    private(set) var present = CellSet()

    init(path: FieldPath) { self.path = path }

    /// What a snapshot held: distinct values in order, and a term for each cell.
    init(
        path: FieldPath, sortedValues: [FieldValue], terms: [UInt32],
        furtherTerms: [(UInt32, UInt32)]
    ) {
        self.path = path
        values = sortedValues
        heads = [UInt32](repeating: Self.none, count: values.count)
        counts = [UInt32](repeating: 0, count: values.count)
        reserve(terms.count)
        for (cell, term) in terms.enumerated() where term != Self.none {
            attach(UInt32(cell), term)
        }
        for (cell, term) in furtherTerms { attach(cell, term) }
        order = TermOrder(sorted: Array(0..<UInt32(values.count)), counts: counts)
    }

    // MARK: Changes

    /// - Precondition: The cell has no values here; `newValues` are distinct.
    mutating func insert(_ cell: UInt32, _ newValues: [FieldValue]) {
        reserve(Int(cell) + 1)
        precondition(terms[Int(cell)] == Self.none, "a cell was inserted twice")
        for value in newValues {
            let position = order.partition(values) { $0 < value }
            var block = position.block
            let term: UInt32
            if let known = order.term(at: position), values[Int(known)] == value {
                term = known
            } else {
                term = newTerm(value)
                block = order.insert(term, at: position).block
            }
            attach(cell, term)
            order.add(1, in: block)
            order.splitIfFull(block, counts: counts)
        }
    }

    mutating func remove(_ cell: UInt32) {
        guard present.contains(cell) else { return }
        detach(cell)
        var node = firstFurther.removeValue(forKey: cell) ?? Self.none
        while node != Self.none {
            let sibling = further[Int(node - Self.furtherBase)].sibling
            detach(node)
            freeFurther.append(node)
            node = sibling
        }
        present.remove(cell)
    }

    private mutating func reserve(_ cells: Int) {
        let missing = cells - terms.count
        guard missing > 0 else { return }
        for _ in 0..<missing {
            terms.append(Self.none)
            next.append(Self.none)
            previous.append(Self.none)
        }
    }

    private mutating func newTerm(_ value: FieldValue) -> UInt32 {
        if let free = freeTerms.popLast() {
            values[Int(free)] = value
            return free
        }
        values.append(value)
        heads.append(Self.none)
        counts.append(0)
        return UInt32(values.count - 1)
    }

    /// Gives a cell a term: in its column, or as a further node.
    private mutating func attach(_ cell: UInt32, _ term: UInt32) {
        let head = heads[Int(term)]
        var node = cell
        if present.contains(cell) {
            let sibling = firstFurther[cell] ?? Self.none
            let entry = Further(
                cell: cell, term: term, next: head, previous: Self.none, sibling: sibling)
            if let free = freeFurther.popLast() {
                node = free
                further[Int(free - Self.furtherBase)] = entry
            } else {
                node = Self.furtherBase + UInt32(further.count)
                precondition(node < Self.none)
                further.append(entry)
            }
            firstFurther[cell] = node
        } else {
            terms[Int(cell)] = term
            next[Int(cell)] = head
            previous[Int(cell)] = Self.none
            present.insert(cell)
        }
        if head != Self.none { setPrevious(head, node) }
        heads[Int(term)] = node
        counts[Int(term)] += 1
    }

    /// Takes a node out of its list, and its term out of the order if it was the last.
    private mutating func detach(_ node: UInt32) {
        let term: UInt32
        let (before, after): (UInt32, UInt32)
        if node < Self.furtherBase {
            term = terms[Int(node)]
            (before, after) = (previous[Int(node)], next[Int(node)])
            terms[Int(node)] = Self.none
        } else {
            let entry = further[Int(node - Self.furtherBase)]
            term = entry.term
            (before, after) = (entry.previous, entry.next)
            further[Int(node - Self.furtherBase)].term = Self.none
        }
        if before == Self.none { heads[Int(term)] = after } else { setNext(before, after) }
        if after != Self.none { setPrevious(after, before) }
        counts[Int(term)] -= 1
        let value = values[Int(term)]
        let position = order.partition(values) { $0 < value }
        order.add(-1, in: position.block)
        if counts[Int(term)] == 0 {
            order.remove(at: position)
            values[Int(term)] = .null
            freeTerms.append(term)
        }
    }

    private mutating func setNext(_ node: UInt32, _ other: UInt32) {
        if node < Self.furtherBase {
            next[Int(node)] = other
        } else {
            further[Int(node - Self.furtherBase)].next = other
        }
    }

    private mutating func setPrevious(_ node: UInt32, _ other: UInt32) {
        if node < Self.furtherBase {
            previous[Int(node)] = other
        } else {
            further[Int(node - Self.furtherBase)].previous = other
        }
    }

    // MARK: Questions

    /// A cell's terms, unsorted.
    func terms(of cell: UInt32) -> [UInt32] {
        guard present.contains(cell) else { return [] }
        var result = [terms[Int(cell)]]
        forEachFurther(of: cell) { result.append($0) }
        return result
    }

    /// Whether the cell has more than one value.
    func hasFurther(_ cell: UInt32) -> Bool {
        !firstFurther.isEmpty && firstFurther[cell] != nil
    }

    private func forEachFurther(of cell: UInt32, _ body: (UInt32) -> Void) {
        guard !firstFurther.isEmpty, var node = firstFurther[cell] else { return }
        while node != Self.none {
            let entry = further[Int(node - Self.furtherBase)]
            body(entry.term)
            node = entry.sibling
        }
    }

    /// Whether a value of the cell is asked for.
    func holds(_ cell: UInt32, _ question: IndexQuestion) -> Bool {
        guard present.contains(cell) else { return false }
        if question.holds(values[Int(terms[Int(cell)])]) { return true }
        var result = false
        forEachFurther(of: cell) { result = result || question.holds(values[Int($0)]) }
        return result
    }

    /// Terms that a question asks for, as ranges of the order.
    func ranges(_ question: IndexQuestion) -> [(TermOrder.Position, TermOrder.Position)] {
        switch question {
        case .oneOf(let wanted):
            wanted.compactMap { value in
                let position = order.partition(values) { $0 < value }
                guard let term = order.term(at: position), values[Int(term)] == value else {
                    return nil
                }
                return (
                    position, TermOrder.Position(block: position.block, index: position.index + 1)
                )
            }
        case .compares(let comparison, let bound):
            [
                (
                    order.partition(values) { value in
                        switch comparison {
                        case .less, .lessOrEqual: value.isOfClass(before: bound)
                        case .greater: value <= bound
                        case .greaterOrEqual: value < bound
                        }
                    },
                    order.partition(values) { value in
                        switch comparison {
                        case .less: value < bound
                        case .lessOrEqual: value <= bound
                        case .greater, .greaterOrEqual: !bound.isOfClass(before: value)
                        }
                    }
                )
            ]
        }
    }

    /// Pairs of cell and term in these ranges: what the cells are at most, and exactly where no
    /// cell has two values.
    func count(_ ranges: [(TermOrder.Position, TermOrder.Position)]) -> Int {
        ranges.reduce(0) { $0 + order.cells(from: $1.0, to: $1.1, counts: counts) }
    }

    /// The cells that have one of the terms of these ranges.
    func cells(_ ranges: [(TermOrder.Position, TermOrder.Position)]) -> CellSet {
        var result = CellSet(below: terms.count)
        if count(ranges) <= terms.count / Self.cellsPerWalkedCell {
            for (start, end) in ranges {
                order.forEach(from: start, to: end) { walk($0, into: &result) }
            }
        } else {
            var wanted = CellSet(below: values.count)
            for (start, end) in ranges {
                order.forEach(from: start, to: end) { wanted.insert($0) }
            }
            scan(wanted, into: &result)
        }
        return result
    }

    private func walk(_ term: UInt32, into result: inout CellSet) {
        var node = heads[Int(term)]
        while node != Self.none {
            if node < Self.furtherBase {
                result.insert(node)
                node = next[Int(node)]
            } else {
                let entry = further[Int(node - Self.furtherBase)]
                result.insert(entry.cell)
                node = entry.next
            }
        }
    }

    private func scan(_ wanted: CellSet, into result: inout CellSet) {
        let column = terms.span
        let bits = wanted.words.span
        for word in result.words.indices {
            var found: UInt64 = 0
            for cell in (word * 64)..<min(word * 64 + 64, column.count) {
                let term = column[cell]
                let at = Int(term >> 6)
                let bit = at < bits.count ? bits[at] >> UInt64(term & 63) & 1 : 0
                found |= bit << UInt64(cell & 63)
            }
            result.words[word] = found
        }
        for entry in further where wanted.contains(entry.term) { result.insert(entry.cell) }
    }
}

/// What an index answers: the comparisons of filters that ask for a value.
enum IndexQuestion {
    /// Sorted.
    case oneOf([FieldValue])
    case compares(FilterExpression.Comparison, FieldValue)

    func holds(_ value: FieldValue) -> Bool {
        switch self {
        case .oneOf(let values): values.containsSorted(value)
        case .compares(let comparison, let bound): comparison.holds(value, bound)
        }
    }
}
