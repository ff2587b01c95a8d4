/// One byte for each slot, grown when a higher slot first comes. A slot without a page holds
/// `absent`, so that a use of it is noticed.
struct SlotMarks: Sendable {
    static let absent: UInt8 = 0xFF

    private var marks: [UInt8]

    init(capacity: Int) { marks = Array(repeating: Self.absent, count: max(capacity, 1)) }

    /// The mark of a resident slot.
    subscript(slot: Int32) -> UInt8 {
        get {
            let mark = marks[Int(slot)]
            precondition(mark != Self.absent, "only a resident slot can be used")
            return mark
        }
        set { marks[Int(slot)] = newValue }
    }

    /// The mark of a page that has come.
    mutating func start(_ slot: Int32, with mark: UInt8) {
        precondition(slot >= 0, "slots are not negative")
        let place = Int(slot)
        if place >= marks.count {
            let missing = max(place + 1, marks.count * 2) - marks.count
            marks.append(contentsOf: repeatElement(Self.absent, count: missing))
        }
        precondition(marks[place] == Self.absent, "a slot is inserted once")
        marks[place] = mark
    }

    mutating func end(_ slot: Int32) { marks[Int(slot)] = Self.absent }
}
