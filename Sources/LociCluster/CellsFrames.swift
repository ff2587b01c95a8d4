import LociBase
import LociModel

/// The bulk frames of an answer with cells, in the order that `CellsAnswer` says.
enum CellsFrames {
    /// Empty frames at the end are left out.
    static func bulk(
        bytes: Bytes, skipped: [UInt32], tiers: Bytes, missing: [UInt32]
    ) -> [Bytes] {
        var frames = [bytes]
        if skipped.isEmpty, tiers.isEmpty, missing.isEmpty { return frames }
        frames.append(Bytes(values: skipped))
        if tiers.isEmpty, missing.isEmpty { return frames }
        frames.append(tiers)
        if !missing.isEmpty { frames.append(Bytes(values: missing)) }
        return frames
    }
}

extension Tier {
    /// Of a cell in an answer; 0 stands for unknown.
    var code: UInt8 { rawValue + 1 }
}
