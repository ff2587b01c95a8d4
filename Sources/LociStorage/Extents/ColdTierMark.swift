import LociBase

/// The file `cold-tier` in a slice's folder: some of its pages may lie on a cold tier.
enum ColdTierMark {
    /// - Returns: The tier, claimed for this slice.
    static func check(
        _ tier: ColdTier?, _ folder: String, _ fileSystem: any StorageFileSystem,
        _ identity: SliceIdentity
    ) throws(StorageError) -> ColdTier? {
        let mark = folder + "/cold-tier"
        let isMarked = fileSystem.exists(mark)
        guard let tier else {
            if isMarked { throw .missingTier(path: "the folder that \(mark) stands for") }
            return nil
        }
        try tier.backend.claim(for: identity, isNew: !isMarked)
        if !isMarked {
            _ = try fileSystem.open(mark, create: true)
            try fileSystem.syncFolder(folder)
        }
        return tier
    }
}
