import LociBase
import LociModel

/// From a page's address to its slot: open addressing with linear probing over slot numbers alone,
/// 8 to 16 bytes for each page. Addresses stay with the slots.
///
/// Invariants:
/// - At most half of `cells` are used, so a search ends.
/// - From a page's home cell to the cell that names it, no cell is empty.
struct PageIndex: Sendable {
    private static let empty: Int32 = -1

    private var cells = [Int32](repeating: empty, count: 16)
    private var count = 0
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    /// Spreads pages over cells in a way that depends on the process's seed.
    func hash(_ address: PageAddress) -> UInt64 {
        let place = UInt64(address.space) << 32 | UInt64(address.partition)
        return mix64(address.page &+ (place ^ seed) &* 0x9E37_79B9_7F4A_7C15)
    }

    func slot(of address: PageAddress, among addresses: [PageAddress]) -> Int32? {
        var cell = home(address)
        while cells[cell] != Self.empty {
            if addresses[Int(cells[cell])] == address { return cells[cell] }
            cell = (cell + 1) & (cells.count - 1)
        }
        return nil
    }

    /// The address must not be there yet; its slot must name it already.
    mutating func insert(_ slot: Int32, among addresses: [PageAddress]) {
        count += 1
        if 2 * count > cells.count {
            let old = cells
            cells = [Int32](repeating: Self.empty, count: 2 * old.count)
            for slot in old where slot != Self.empty { place(slot, addresses) }
        }
        place(slot, addresses)
    }

    /// Takes a page out, and moves those after it back so that no search stops short.
    mutating func remove(_ address: PageAddress, among addresses: [PageAddress]) {
        var hole = home(address)
        while addresses[Int(cells[hole])] != address { hole = (hole + 1) & (cells.count - 1) }
        count -= 1
        var cell = hole
        while true {
            cell = (cell + 1) & (cells.count - 1)
            guard cells[cell] != Self.empty else { break }
            let wish = home(addresses[Int(cells[cell])])
            let distance = (cell - wish) & (cells.count - 1)
            if distance >= (cell - hole) & (cells.count - 1) {
                cells[hole] = cells[cell]
                hole = cell
            }
        }
        cells[hole] = Self.empty
    }

    private mutating func place(_ slot: Int32, _ addresses: [PageAddress]) {
        var cell = home(addresses[Int(slot)])
        while cells[cell] != Self.empty { cell = (cell + 1) & (cells.count - 1) }
        cells[cell] = slot
    }

    private func home(_ address: PageAddress) -> Int {
        Int(truncatingIfNeeded: hash(address)) & (cells.count - 1)
    }
}
