import LociModel

/// One thing that an offline check of a folder noticed.
public struct VerifyFinding: Equatable, Sendable {
    public enum Severity: String, Sendable, CaseIterable, Comparable {
        /// Nothing is lost, and nothing needs to be done.
        case note
        /// The next start of the shard mends it, or a crash left it so; nothing acknowledged is
        /// lost unless what is said here was damaged later.
        case repairable
        /// Bytes that were acknowledged are lost, or the shard will refuse to start.
        case damage

        public static func < (left: Severity, right: Severity) -> Bool {
            allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
        }
    }

    /// What it is about.
    public enum Kind: String, Sendable, CaseIterable {
        case identity, superblock, state, log, record, page, segment, metadata
        case tornTail = "torn-tail"
        case doubleWrite = "double-write"
        /// A file of another shard, cluster, partition, place or version.
        case foreign
        /// A file that nothing names.
        case unlisted
        /// The kernel or the device refused to read it.
        case unreadable
    }

    public let severity: Severity
    public let kind: Kind
    public let path: String
    /// Byte of the file, where it is about one place.
    public let offset: UInt64?
    /// The page, record or position of the log that it is about; empty if it is the whole file.
    public let subject: String
    public let what: String
    /// What to do.
    public let advice: String
}

/// What an offline check of a folder found.
public struct VerifyReport: Sendable {
    /// Findings that are kept; all are counted, and given to `onFinding`.
    public static let keptFindings = 10_000

    public internal(set) var files: UInt64 = 0
    public internal(set) var records: UInt64 = 0
    /// Pages that are what was written to them.
    public internal(set) var pages: UInt64 = 0
    /// Pages that lie in cold extents, and were not checked.
    public internal(set) var coldPages: UInt64 = 0
    /// Bytes that were read and checked.
    public internal(set) var bytes: UInt64 = 0
    /// The first ones, in the order in which they were found.
    public internal(set) var findings: [VerifyFinding] = []
    public internal(set) var counts: [VerifyFinding.Severity: UInt64] = [:]

    /// The worst of what was found; nil if there was nothing.
    public var worst: VerifyFinding.Severity? { counts.keys.max() }
}

/// A check under way: what it has found so far, and whom it tells.
final class VerifyRun {
    let fileSystem: any StorageFileSystem
    private(set) var report = VerifyReport()
    private let totalBytes: UInt64
    private let onProgress: (UInt64, UInt64) -> Void
    private let onFinding: (VerifyFinding) -> Void

    init(
        _ fileSystem: any StorageFileSystem, totalBytes: UInt64,
        onProgress: @escaping (UInt64, UInt64) -> Void,
        onFinding: @escaping (VerifyFinding) -> Void
    ) {
        self.fileSystem = fileSystem
        self.totalBytes = totalBytes
        self.onProgress = onProgress
        self.onFinding = onFinding
    }

    func countFile(bytes: UInt64 = 0) {
        report.files += 1
        count(bytes: bytes)
    }

    func countRecord() { report.records += 1 }
    func countPage() { report.pages += 1 }
    func countColdPage() { report.coldPages += 1 }

    func count(bytes: UInt64) {
        report.bytes += bytes
        onProgress(report.bytes, max(totalBytes, report.bytes))
    }

    func find(
        _ severity: VerifyFinding.Severity, _ kind: VerifyFinding.Kind, _ path: String,
        at offset: UInt64? = nil, about subject: String = "",
        _ what: String, advice: String
    ) {
        let finding = VerifyFinding(
            severity: severity, kind: kind, path: path, offset: offset, subject: subject,
            what: what, advice: advice)
        report.counts[severity, default: 0] += 1
        if report.findings.count < VerifyReport.keptFindings { report.findings.append(finding) }
        onFinding(finding)
    }

    /// A finding about what reading a file met. A file of somebody else, and one that cannot be
    /// read, are kinds of their own.
    func find(
        _ severity: VerifyFinding.Severity, _ kind: VerifyFinding.Kind, _ error: StorageError,
        _ path: String, at offset: UInt64? = nil, about subject: String = "", advice: String
    ) {
        switch error {
        case .foreign(_, let what):
            find(
                .damage, .foreign, path, at: offset, about: subject, what,
                advice: "Put the file of this place back from a copy or a snapshot.")
        case .corrupt(_, let what), .damagedPage(_, _, let what):
            find(severity, kind, path, at: offset, about: subject, what, advice: advice)
        case .io, .fault, .noSpace, .locked, .missingTier:
            find(
                .damage, .unreadable, path, at: offset, about: subject, error.sentence.message,
                advice: error.sentence.advice)
        }
    }

    func list(_ folder: String) -> [String] {
        do throws(StorageError) {
            return try fileSystem.list(folder)
        } catch {
            find(.damage, .unreadable, error, folder, advice: "")
            return []
        }
    }

    func noteUnknown(_ path: String) {
        find(
            .note, .unlisted, path, "it is not a file that Loci writes",
            advice: "Move it elsewhere if it is yours.")
    }
}
