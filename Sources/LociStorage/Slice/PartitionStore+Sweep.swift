import LociBase
import LociModel
import Synchronization

/// Extents that interrupted moves and dropped spaces leave behind.
extension PartitionStore {
    /// Removes extents that no checksum refers to and remains of interrupted writes, and counts
    /// what the others take. To be called once in a life, in the background.
    /// - Parameter shouldStop: Asked before each extent; what was not looked at is counted then in
    ///   another life.
    func sweepExtents(shouldStop: () -> Bool = { false }) throws(StorageError) {
        guard let extents else { return }
        let folder = ExtentStore.folder(place.partition)
        try moving.withLock { _ throws(StorageError) in
            var bytes: [SpaceID: UInt64] = [:]
            for name in try extents.tier.backend.list(folder) {
                guard name.hasPrefix(PartitionPlace.spacePrefix),
                    let space = SpaceID(name.dropFirst(PartitionPlace.spacePrefix.count))
                else { continue }
                bytes[space] = try sweep(space, folder + "/" + name, shouldStop)
                if shouldStop() { return }
            }
            extents.setBytes(bytes, of: place.partition)
        }
    }

    /// - Returns: Bytes of the space's extents.
    private func sweep(
        _ space: SpaceID, _ folder: String, _ shouldStop: () -> Bool
    ) throws(StorageError) -> UInt64 {
        guard let extents else { return 0 }
        let backend = extents.tier.backend
        let pageBytes = known.withLock { known in
            known.segments.first { $0.space == space }?.pageBytes
        }
        var bytes: UInt64 = 0
        for name in try backend.list(folder) {
            if shouldStop() { break }
            let path = folder + "/" + name
            guard name.hasSuffix(ExtentStore.suffix),
                let number = UInt64(name.dropLast(ExtentStore.suffix.count))
            else {
                if name.contains(ExtentStore.suffix) { try removeOrphan(path) }
                continue
            }
            let address = ExtentAddress(space: space, partition: place.partition, number: number)
            if let pageBytes, try isNeeded(address, pageBytes) {
                let object = try backend.open(path)
                bytes += ExtentStore.allocated(object?.byteCount ?? 0)
            } else {
                try removeOrphan(path)
            }
        }
        return bytes
    }

    private func removeOrphan(_ path: String) throws(StorageError) {
        try extents?.tier.backend.remove(path)
        extents?.counters.count { $0.orphans += 1 }
    }

    private func isNeeded(
        _ address: ExtentAddress, _ pageBytes: Int
    ) throws(StorageError) -> Bool {
        let pages = address.pages(pageBytes: pageBytes)
        let name = SegmentName(
            holding: PageName(address.space, pages.lowerBound), pageBytes: pageBytes)
        guard known.withLock({ $0.segments.contains(name) }) else { return false }
        // A segment that is out of reach says nothing about its extents.
        guard let segment = try segments.segment(name, in: place, create: false) else {
            return true
        }
        return try segment.sums(of: pages).contains(where: \.isCold)
    }

    /// With a dropped space go its extents; those that cannot go now are swept in the next life.
    func removeExtents(of space: SpaceID) {
        guard let extents else { return }
        do {
            try extents.removeAll(of: space, place.partition)
        } catch {
            extents.counters.count { $0.failures += 1 }
        }
    }
}
