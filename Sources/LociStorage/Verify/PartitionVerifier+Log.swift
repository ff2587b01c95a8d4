import LociBase

extension PartitionVerifier {
    /// Checks every log file and record, as recovery from `lsn` would.
    func verifyLog(from lsn: LSN) {
        let found: [PartitionLog.File]
        do throws(StorageError) {
            found = try PartitionLog.listFiles(in: place)
        } catch {
            run.find(.damage, .unreadable, error, place.logFolder, advice: SliceVerifier.restore)
            return
        }
        noteOtherLogs(found)
        let files = withoutUnfinished(found)
        guard let start = files.lastIndex(where: { $0.first <= lsn }) else {
            run.find(
                .damage, .log, place.logFolder, about: "position \(lsn)",
                "the file with the position of the checkpoint is missing",
                advice: SliceVerifier.restore)
            return
        }
        for file in files[..<start] {
            run.find(
                .note, .unlisted, file.path, "all its records are before the checkpoint",
                advice: "The next start removes it.")
        }
        var before: LogWalk?
        var meetsCheckpoint = false
        for (index, file) in files[start...].enumerated() {
            let isLast = start + index == files.count - 1
            guard let walk = walk(file, &meetsCheckpoint, lsn, isLast: isLast) else { return }
            if let before, before.end != file.first || before.chain != walk.header.proof {
                run.find(
                    .damage, .log, file.path, about: "position \(file.first)",
                    "it does not continue the file before it, which ends at \(before.end)",
                    advice: SliceVerifier.restore)
            }
            before = walk
        }
        guard let last = before, !meetsCheckpoint && last.end != lsn else { return }
        run.find(
            .damage, .record, files.last!.path, about: "position \(lsn)",
            "no record starts there, where the checkpoint is", advice: SliceVerifier.restore)
    }

    /// - Returns: nil if the file's header is damaged.
    private func walk(
        _ file: PartitionLog.File, _ meetsCheckpoint: inout Bool, _ lsn: LSN, isLast: Bool
    ) -> LogWalk? {
        do throws(StorageError) {
            let handle = try place.fileSystem.open(file.path, create: false)
            var meets = meetsCheckpoint
            let walk = try LogWalk(handle, file.path, in: place) { frame, _ in
                meets = meets || frame.lsn == lsn
                run.countRecord()
                run.count(bytes: frame.end - frame.lsn)
                return true
            }
            meetsCheckpoint = meets
            run.countFile(bytes: UInt64(FileHeader.byteCount))
            if walk.header.number != file.first {
                run.find(
                    .damage, .foreign, file.path,
                    "its name says position \(file.first), and its header \(walk.header.number)",
                    advice: SliceVerifier.restore)
            }
            find(walk, file.path, isLast: isLast)
            return walk
        } catch {
            run.find(.damage, .log, error, file.path, at: 0, advice: SliceVerifier.restore)
            return nil
        }
    }

    private func find(_ walk: LogWalk, _ path: String, isLast: Bool) {
        let subject = "record at \(walk.end)"
        switch walk.ending {
        case .clean: return
        case .torn(let bytes) where isLast:
            run.find(
                .repairable, .tornTail, path, at: walk.offset, about: subject,
                "\(bytes) bytes behind the last whole record: a crash's torn append, or damage",
                advice: "If the shard was killed or lost power, the next start cuts them, and "
                    + "nothing that was acknowledged is lost. If it was stopped in order, a record "
                    + "is lost: restore the data folder from a copy or a snapshot.")
        case .torn:
            run.find(
                .damage, .record, path, at: walk.offset, about: subject,
                "it is damaged, and a newer file follows", advice: SliceVerifier.restore)
        case .broken(let what):
            run.find(
                .damage, .record, path, at: walk.offset, about: subject, what,
                advice: SliceVerifier.restore)
        }
    }

    private func withoutUnfinished(_ files: [PartitionLog.File]) -> [PartitionLog.File] {
        files.filter { file in
            guard (try? PartitionLog.isUnfinished(file, in: place)) == true else { return true }
            run.find(
                .repairable, .log, file.path, at: 0, about: "position \(file.first)",
                "its header is not whole, and nothing follows it",
                advice: "A crash while it was created leaves this; the next start removes it.")
            return false
        }
    }

    private func noteOtherLogs(_ files: [PartitionLog.File]) {
        let known = Set(files.map(\.path))
        for name in run.list(place.logFolder) where !known.contains(place.logFolder + "/" + name) {
            run.noteUnknown(place.logFolder + "/" + name)
        }
    }
}
