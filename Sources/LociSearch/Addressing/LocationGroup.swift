import LociKernels

/// Neighbouring hard locations as int8 codes: each is its difference from the group's centre,
/// divided by a scale of its own and rounded. A code costs `dimension + 4` bytes.
///
/// Invariants:
/// - Slot i of `rows`, `factors`, `codes` and, where held, `exact` belong together.
/// - `radius` is at least the length of every decoded difference, and `error` at least the distance
///   of every location from its decoded place. Both only grow until the group is made anew.
struct LocationGroup: Sendable {
    let dimension: Int
    let centre: [Float]
    /// Rows of the index.
    private(set) var rows: [UInt32] = []
    /// Upper half: that of the code's step, a float32 rounded up to it. Lower half: the length of
    /// the code as a vector, in units of `lengthUnit`.
    private(set) var factors: [UInt32] = []
    private(set) var codes: [Int8] = []
    /// The locations themselves, one after the other; empty in a compact copy.
    private(set) var exact: [Float] = []
    let keepsExact: Bool
    private(set) var radius: Float = 0
    private(set) var error: Float = 0

    init(centre: [Float], keepsExact: Bool) {
        dimension = centre.count
        self.centre = centre
        self.keepsExact = keepsExact
    }

    var count: Int { rows.count }

    /// The longest code is 127 in every element.
    var lengthUnit: Float { Self.lengthUnit(dimension) }

    static func lengthUnit(_ dimension: Int) -> Float {
        127 * Float(dimension).squareRoot() / 65_535
    }

    mutating func reserve(_ count: Int) {
        rows.reserveCapacity(count)
        factors.reserveCapacity(count)
        codes.reserveCapacity(count * dimension)
        if keepsExact { exact.reserveCapacity(count * dimension) }
    }

    mutating func append(_ row: UInt32, _ vector: [Float]) {
        var difference = QuantizedVector(dimension: dimension)
        difference.quantize(vector, minus: 0, of: centre, roundingScaleUp: true)
        rows.append(row)
        let squares = difference.codes.reduce(0) { $0 + Int($1) * Int($1) }
        let length = Float(squares).squareRoot()
        let units = UInt32(min(65_535, (length / lengthUnit).rounded()))
        factors.append(difference.scale.bitPattern & 0xFFFF_0000 | units)
        codes.append(contentsOf: difference.codes)
        if keepsExact { exact.append(contentsOf: vector) }
        radius = max(radius, difference.scale * length * 1.0001)
        error = max(error, difference.error * 1.0001)
    }

    func slot(of row: UInt32) -> Int {
        guard let slot = rows.firstIndex(of: row) else { preconditionFailure("row not here") }
        return slot
    }

    /// The last slot takes the place of the one removed.
    mutating func remove(at slot: Int) {
        rows.swapAt(slot, rows.count - 1)
        factors.swapAt(slot, rows.count - 1)
        let last = (rows.count - 1) * dimension
        for element in 0..<dimension {
            codes[slot * dimension + element] = codes[last + element]
        }
        if keepsExact {
            for element in 0..<dimension {
                exact[slot * dimension + element] = exact[last + element]
            }
            exact.removeLast(dimension)
        }
        rows.removeLast()
        factors.removeLast()
        codes.removeLast(dimension)
    }

    mutating func rename(_ row: UInt32, to new: UInt32) { rows[slot(of: row)] = new }

    /// The location in a slot: itself where it is held, else as its code has it.
    func vector(at slot: Int) -> [Float] {
        let place = (slot * dimension)..<((slot + 1) * dimension)
        if keepsExact { return Array(exact[place]) }
        let scale = Float(bitPattern: factors[slot] & 0xFFFF_0000)
        var vector = centre
        for (element, code) in zip(vector.indices, codes[place]) {
            vector[element] += scale * Float(code)
        }
        return vector
    }

    /// Bytes of codes and factors.
    var codeBytes: Int { codes.count + 4 * rows.count }
}
