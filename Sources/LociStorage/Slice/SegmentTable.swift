import LociBase
import LociModel
import Synchronization

/// The open segments of a slice, the least recently used of which are closed.
///
/// Invariants:
/// - A segment with data that was not synced stays open, so that its sync reports every error;
///   where all are such, the one that gives way is synced first.
/// - A segment is created by one thread at a time.
final class SegmentTable: Sendable {
    struct Name: Hashable, Sendable {
        let partition: PartitionIndex
        let space: SpaceID
        let number: UInt64
    }

    private struct Entry: Sendable {
        let file: any StorageFile
        var lastUse: UInt64
        var isDirty: Bool
    }

    private struct State: Sendable {
        var entries: [Name: Entry] = [:]
        var clock: UInt64 = 0
        /// Folders of changed segments: their names may not be durable yet, even where this process
        /// did not create them.
        var folders: [PartitionIndex: Set<String>] = [:]
        /// Errors of syncs that happened here, to be reported at the partition's checkpoint.
        var failures: [PartitionIndex: StorageError] = [:]
    }

    private let capacity: Int
    private let state = Mutex(State())
    private let creation = Mutex(())

    init(capacity: Int) { self.capacity = capacity }

    /// - Returns: nil if the segment was never written to.
    func existing(_ name: Name, in place: PartitionPlace) throws(StorageError) -> (
        any StorageFile
    )? {
        if let file = look(name) { return file }
        guard let file = try open(name, in: place, create: false) else { return nil }
        insert(name, file, isDirty: false)
        return file
    }

    /// The segment, created if need be; its name is durable after the next checkpoint.
    func created(_ name: Name, in place: PartitionPlace) throws(StorageError) -> any StorageFile {
        if let file = try existing(name, in: place) { return file }
        return try creation.withLock { _ throws(StorageError) in
            if let file = look(name) { return file }
            try place.fileSystem.createFolder(place.spaceFolder(name.space))
            let file = try open(name, in: place, create: true)!
            insert(name, file, isDirty: true)
            return file
        }
    }

    /// To be called after every change of a segment, and before the change is reported as done.
    func markDirty(_ name: Name, _ file: any StorageFile, in place: PartitionPlace) {
        insert(name, file, isDirty: true)
        _ = state.withLock {
            $0.folders[name.partition, default: []].insert(place.spaceFolder(name.space))
        }
    }

    /// Makes all changes of a partition durable that were marked before the call.
    func sync(_ place: PartitionPlace) throws(StorageError) {
        let partition = place.partition
        let (files, folders, failure) = state.withLock { state in
            var files: [any StorageFile] = []
            for (name, entry) in state.entries where name.partition == partition && entry.isDirty {
                state.entries[name]!.isDirty = false
                files.append(entry.file)
            }
            let folders = state.folders.removeValue(forKey: partition) ?? []
            return (files, folders.sorted(), state.failures[partition])
        }
        if let failure { throw failure }
        for file in files { try file.sync() }
        for folder in folders where place.fileSystem.exists(folder) {
            try place.fileSystem.syncFolder(folder)
        }
    }

    /// Forgets and removes the segments of a space in a partition.
    func drop(_ space: SpaceID, in place: PartitionPlace) throws(StorageError) {
        try creation.withLock { _ throws(StorageError) in
            state.withLock { state in
                for name in state.entries.keys
                where name.partition == place.partition && name.space == space {
                    state.entries[name] = nil
                }
                state.folders[place.partition]?.remove(place.spaceFolder(space))
            }
            try place.fileSystem.removeTree(place.spaceFolder(space))
            try place.fileSystem.syncFolder(place.folder)
        }
    }

    private func open(
        _ name: Name, in place: PartitionPlace, create: Bool
    ) throws(StorageError) -> (any StorageFile)? {
        try place.fileSystem.openPaged(
            place.segment(name.number, of: name.space), size: Layout.segmentBytes, create: create)
    }

    private func look(_ name: Name) -> (any StorageFile)? {
        state.withLock { state in
            state.clock += 1
            state.entries[name]?.lastUse = state.clock
            return state.entries[name]?.file
        }
    }

    private func insert(_ name: Name, _ file: any StorageFile, isDirty: Bool) {
        state.withLock { state in
            state.clock += 1
            if state.entries[name] != nil {
                state.entries[name]!.lastUse = state.clock
                if isDirty { state.entries[name]!.isDirty = true }
                return
            }
            while state.entries.count >= capacity { Self.closeOne(&state) }
            state.entries[name] = Entry(file: file, lastUse: state.clock, isDirty: isDirty)
        }
    }

    private static func closeOne(_ state: inout State) {
        let clean = state.entries.filter { !$0.value.isDirty }
        let candidates = clean.isEmpty ? state.entries : clean
        let oldest = candidates.min { $0.value.lastUse < $1.value.lastUse }!
        if oldest.value.isDirty {
            do {
                try oldest.value.file.sync()
            } catch {
                state.failures[oldest.key.partition] = error
            }
        }
        state.entries[oldest.key] = nil
    }
}
