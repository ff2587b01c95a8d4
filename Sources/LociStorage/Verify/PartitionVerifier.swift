import LociBase

/// Checks one partition's files.
struct PartitionVerifier {
    let place: PartitionPlace
    let run: VerifyRun

    /// Reads pages of the cold tier; nil if it is not to be looked at.
    let cold: PartitionStore?
    /// Whether some of the shard's pages may be there.
    let hasColdTier: Bool

    init(
        _ place: PartitionPlace, _ run: VerifyRun, cold: ExtentStore?, hasColdTier: Bool
    ) {
        self.place = place
        self.run = run
        self.hasColdTier = hasColdTier
        self.cold = cold.map {
            PartitionStore(place, SegmentTable(capacity: 1), WriteBufferCounter(limit: 0), $0)
        }
    }

    func verify() {
        let names = run.list(place.folder)
        noteOthers(names)
        guard let superblock = verifySuperblocks(names) else { return }
        var listed: Set<SegmentName> = []
        if superblock.hasState {
            let path = place.state(at: superblock.lsn)
            do throws(StorageError) {
                listed = try StateFile.read(at: superblock.lsn, in: place).segments
                run.countFile(bytes: try place.fileSystem.open(path, create: false).size())
            } catch {
                run.find(.damage, .state, error, path, advice: SliceVerifier.restore)
            }
        }
        verifyLog(from: superblock.lsn)
        let batches = verifyDoubleWrites()
        for name in listed.sorted() { verify(name, batches) }
        noteUnlisted(names, listed)
    }

    // MARK: Superblocks

    private func verifySuperblocks(_ names: [String]) -> Superblock? {
        var found: [String: Superblock] = [:]
        var failures: [(path: String, error: StorageError)] = []
        for copy in SuperblockPair.copies {
            let path = place.folder + "/" + copy
            do throws(StorageError) {
                guard place.fileSystem.exists(path) else {
                    throw .corrupt(path: path, what: "it is missing")
                }
                found[copy] = try SuperblockPair.read(path, place)
                run.countFile(bytes: try place.fileSystem.open(path, create: false).size())
            } catch {
                failures.append((path, error))
            }
        }
        let newest = found.values.max { $0.generation < $1.generation }
        if newest == nil && isUnfinished(names) {
            run.find(
                .note, .superblock, place.folder, "the partition was never used",
                advice: "The next start creates it.")
            return nil
        }
        for (path, error) in failures {
            run.find(
                newest == nil ? .damage : .repairable, .superblock, error, path,
                advice: newest == nil
                    ? SliceVerifier.restore : "The next start writes it anew from the other copy.")
        }
        for (copy, superblock) in found where superblock != newest {
            run.find(
                .repairable, .superblock, place.folder + "/" + copy,
                about: "generation \(superblock.generation)",
                "it is older than the other copy, which has generation \(newest!.generation)",
                advice: "A crash between the two leaves this; the next start makes them equal.")
        }
        return newest
    }

    /// Whether the partition's creation was cut off, so that there is nothing in it.
    private func isUnfinished(_ names: [String]) -> Bool {
        let isEmpty = !names.contains {
            $0.hasPrefix(PartitionPlace.statePrefix) || $0.hasPrefix(PartitionPlace.spacePrefix)
        }
        return isEmpty && (try? PartitionLog.holdsRecords(in: place)) == false
    }

    // MARK: Double-write files

    private func verifyDoubleWrites() -> [DoubleWriteFile.Batch] {
        var batches: [DoubleWriteFile.Batch] = []
        for file in DoubleWriteFile.both(in: place) where place.fileSystem.exists(file.path) {
            do throws(StorageError) {
                let size = try place.fileSystem.open(file.path, create: false).size()
                if let batch = try file.read() {
                    run.countFile(bytes: batch.pages.reduce(0) { $0 + UInt64($1.1.count) })
                    batches.append(batch)
                } else {
                    run.find(
                        .repairable, .doubleWrite, file.path,
                        size == 0
                            ? "it is empty" : "the batch of pages in it is not whole",
                        advice: "A crash while it was written leaves this, and then none of its "
                            + "pages was touched in place; the next start goes on without it.")
                }
            } catch {
                run.find(.damage, .doubleWrite, error, file.path, advice: SliceVerifier.restore)
            }
        }
        return batches.sorted { $0.sequence > $1.sequence }
    }

    // MARK: Files that nothing names

    private static let known: Set<String> = [
        "log", "superblock-a", "superblock-b", "double-write-a", "double-write-b",
    ]

    private func noteOthers(_ names: [String]) {
        for name in names
        where !Self.known.contains(name) && !name.hasPrefix(PartitionPlace.statePrefix)
            && !name.hasPrefix(PartitionPlace.spacePrefix)
        {
            run.noteUnknown(place.folder + "/" + name)
        }
    }

    private func noteUnlisted(_ names: [String], _ listed: Set<SegmentName>) {
        let kept = Set(listed.map { place.segment($0.number, of: $0.space) })
        for name in names where name.hasPrefix(PartitionPlace.spacePrefix) {
            let folder = place.folder + "/" + name
            for file in run.list(folder) where !kept.contains(folder + "/" + file) {
                run.find(
                    .note, .unlisted, folder + "/" + file,
                    "the checkpoint does not list it",
                    advice: "It was created after the checkpoint, or its space was dropped: the "
                        + "next start removes it, and takes what it needs from the log.")
            }
        }
        let states = names.filter { $0.hasPrefix(PartitionPlace.statePrefix) }
        for name in states {
            let path = place.folder + "/" + name
            guard let newest = newestState, path != newest else { continue }
            run.find(
                .note, .unlisted, path, "the superblock names another state",
                advice: "A crash during a checkpoint leaves this; the next start removes it.")
        }
    }

    private var newestState: String? {
        let superblocks = try? SuperblockPair(readingFrom: place)
        return superblocks.flatMap { $0 }.map {
            $0.current.hasState ? place.state(at: $0.current.lsn) : ""
        }
    }
}
