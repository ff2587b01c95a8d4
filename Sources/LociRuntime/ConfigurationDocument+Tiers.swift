import Foundation
import LociBase
import LociModel
import LociTiering

/// Reading `tiers:`, a list of mappings.
extension ConfigurationDocument {
    /// - Throws: INVALID_ARGUMENT with the line of the entry, or of the key in it.
    func tiers(dataFolder: String) throws(LociError) -> [TierConfiguration] {
        guard let entries = try mappings("tiers") else {
            return TierConfiguration.standard(dataFolder: dataFolder)
        }
        var tiers: [TierConfiguration] = []
        for entry in entries {
            let tier = try entry.tier(dataFolder: dataFolder)
            if let last = tiers.last, tier.kind <= last.kind {
                throw entry.complaint(
                    "kind",
                    tiers.contains { $0.kind == tier.kind }
                        ? "names \(tier.kind.name) a second time."
                        : "names \(tier.kind.name) after \(last.kind.name), which is slower.",
                    advice: "List each tier once, the fastest first: \(Self.order).")
            }
            if let path = tier.path, tier.kind == .hdd {
                let folders = tiers.compactMap(\.path) + [dataFolder]
                guard !folders.contains(where: { Self.overlap($0, path) }) else {
                    throw entry.complaint(
                        "path", "lies in a folder of another tier, or that one in it.",
                        advice: "Give the hdd tier a folder of its own.")
                }
            }
            tiers.append(tier)
        }
        for needed in [Tier.dram, .ssd] where !tiers.contains(where: { $0.kind == needed }) {
            throw complaint(
                "tiers", "lacks \(needed.name).",
                advice: "Every shard needs the tiers dram and ssd: "
                    + "[{kind: dram, capacity: 256MiB}, {kind: ssd}]")
        }
        return tiers
    }

    /// Whether one of two folders is the other or lies in it, links resolved as far as they exist.
    private static func overlap(_ one: String, _ other: String) -> Bool {
        func parts(_ path: String) -> [String] {
            URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.pathComponents
        }
        let (first, second) = (parts(one), parts(other))
        return first.starts(with: second) || second.starts(with: first)
    }

    private static let order = TierKinds.possible.map(\.name).joined(separator: ", ")

    private func tier(dataFolder: String) throws(LociError) -> TierConfiguration {
        let kind = try tierKind()
        try refuseUnknownKeys(TierKinds.keys(of: kind), of: "the tier \(kind.name)")
        let path = try string("path", default: "")
        switch kind {
        case .dram, .far:
            return TierConfiguration(
                kind: kind,
                capacityBytes: try byteCount(
                    "capacity", in: ConfigurationRanges.memoryBytes,
                    default: TierConfiguration.memoryBytes),
                eviction: try choice("eviction", default: .standard))
        default:
            guard kind == .ssd || !path.isEmpty else {
                throw complaint(
                    "path", "is missing: the tier \(kind.name) needs a folder.",
                    advice: "Such as: {kind: hdd, path: /mnt/slow, capacity: 2TiB}")
            }
            return TierConfiguration(
                kind: kind,
                capacityBytes: try byteCount(
                    "capacity", in: ConfigurationRanges.diskBytes,
                    default: TierConfiguration.diskBytes),
                path: path.isEmpty ? dataFolder : resolve(path),
                compression: kind == .hdd ? try choice("compression", default: .zstd) : nil)
        }
    }

    private func tierKind() throws(LociError) -> Tier {
        let name = try string("kind", default: "")
        guard !name.isEmpty else {
            throw complaint("kind", "is missing.", advice: "Choose one of \(Self.order).")
        }
        guard let kind = Tier(named: name) else {
            throw complaint("kind", "must be one of \(Self.order), not '\(name)'.")
        }
        guard TierKinds.possible.contains(kind) else {
            throw complaint(
                "kind", "names \(name), which this version does not have; it comes later.",
                advice: "Choose among \(Self.order).")
        }
        return kind
    }
}

/// What the tiers of this version are, and which keys each of them takes.
enum TierKinds {
    static let possible: [Tier] = [.dram, .far, .ssd, .hdd]

    static func keys(of kind: Tier) -> [String] {
        switch kind {
        case .dram, .far: ["kind", "capacity", "eviction"]
        case .hdd: ["kind", "capacity", "path", "compression"]
        default: ["kind", "capacity", "path"]
        }
    }
}
