import Foundation

/// A line on standard error about work that takes more than a second. Nothing is printed unless a
/// person watches.
struct Progress {
    private let title: String
    private let unit: String
    private let total: UInt64?
    private let first: UInt64
    private let start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant
    private var isDrawn = false

    private static let patience = Duration.seconds(1)
    private static let interval = Duration.milliseconds(200)

    /// - Parameters:
    ///   - total: Units of the whole work, if known.
    ///   - first: Units that were done before, which do not count for the rate.
    init(_ title: String, unit: String, total: UInt64?, first: UInt64 = 0) {
        self.title = title
        self.unit = unit
        self.total = total
        self.first = first
        lastDrawn = start
    }

    mutating func update(_ done: UInt64) {
        let now = ContinuousClock.now
        guard Terminal.showsProgress, now - start > Self.patience,
            now - lastDrawn > Self.interval
        else { return }
        lastDrawn = now
        isDrawn = true
        let rate = Double(done - min(first, done)) / (now - start).inSeconds
        var line = "\r\u{1B}[K\(title)  "
        if let total, total > 0 {
            let part = min(1, Double(done) / Double(total))
            let filled = Int(part * 24)
            line += "[" + String(repeating: "#", count: filled)
            line += String(repeating: "-", count: 24 - filled) + "] "
            line += "\(Int(part * 100))%  \(Show.count(done)) of \(Show.count(total)) \(unit)"
        } else {
            line += "\(Show.count(done)) \(unit)"
        }
        line += "  \(Show.count(UInt64(rate)))/s"
        if let total, rate > 0, total > done {
            line += "  \(Int((Double(total - done) / rate).rounded(.up))) s left"
        }
        Terminal.standardError(line)
    }

    /// Removes the line.
    mutating func finish() {
        if isDrawn { Terminal.standardError("\r\u{1B}[K") }
        isDrawn = false
    }
}
