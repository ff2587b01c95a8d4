/// Figures of reports as text.
enum Columns {
    /// A line of a table, each cell on the right of its column; empty ones at its end take none.
    static func row(_ cells: [String], width: Int = 14) -> String {
        var cells = cells
        while cells.last?.isEmpty == true { cells.removeLast() }
        return cells.map { cell in
            String(repeating: " ", count: max(1, width - cell.count)) + cell
        }.joined()
    }

    /// With so many places after the point.
    /// - Precondition: it is not negative.
    static func rounded(_ value: Double, _ places: Int) -> String {
        precondition(value >= 0)
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let whole = Int((value * scale).rounded())
        guard places > 0 else { return "\(whole)" }
        let part = "\(whole % Int(scale))"
        return "\(whole / Int(scale))." + String(repeating: "0", count: places - part.count) + part
    }
}
