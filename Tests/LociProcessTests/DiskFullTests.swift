import Foundation
import Glibc
import LociBase
import LociClient
import Testing

/// A file system of its own in memory, mounted where a shard keeps its files.
private final class SmallDisk {
    private let path: String

    static var isPossible: Bool { getuid() == 0 }

    init(at path: String, megabytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        guard mount("loci-tests", path, "tmpfs", 0, "size=\(megabytes)m,mode=700") == 0 else {
            throw LocalCluster.NotReady(description: "No disk at \(path): errno \(errno).")
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }
}

extension ProcessTests {
    private static let cellBytes = 1024
    /// Cells of one write: each in a page of its own.
    private static let cellsAtOnce = UInt64(48)

    private static func cells(_ write: UInt64) -> [UInt64] {
        (0..<cellsAtOnce).map { (write * cellsAtOnce + $0) * 16 }
    }

    private static func content(_ cells: [UInt64]) -> Bytes {
        Bytes(values: cells.flatMap { Array(repeating: $0 &* 0x9E37_79B9 | 1, count: 128) })
    }

    /// - Returns: nil if the write was acknowledged, else what it was told.
    private static func write(_ client: LociClient, _ number: UInt64) async -> LociError? {
        do throws(LociError) {
            _ = try await client.write(
                "cells", cells: cells(number), bytes: content(cells(number)))
            return nil
        } catch {
            return error
        }
    }

    private static func check(_ client: LociClient, _ writes: UInt64) async throws {
        for number in 0..<writes {
            let answer = try await client.read("cells", cells: cells(number))
            let bytes = Bytes.joined((0..<Int(cellsAtOnce)).map { answer[$0] })
            #expect(bytes == content(cells(number)), "write \(number) of \(writes)")
        }
    }

    @Test("on a full disk refuses writes at once, reads on, and writes again when there is room")
    func fullDisk() async throws {
        guard SmallDisk.isPossible else {
            print("No full disk: that needs root, to mount one.")
            return
        }
        let cluster = try LocalCluster(shards: 1)
        let folder = "\(cluster.folder)/data/shard-0"
        let disk = try SmallDisk(at: folder, megabytes: 40)
        try cluster.startAll()
        try await cluster.waitUntilReady()
        let ballast = "\(cluster.folder)/data/shard-0/ballast"
        try Data(count: 12 << 20).write(to: URL(filePath: ballast))
        let client = try cluster.client(deadline: .seconds(5))
        try await client.createField(
            "cells", elementType: .raw, shape: [1 << 24, UInt64(Self.cellBytes)])

        var acknowledged: UInt64 = 0
        var refusals: [Duration] = []
        while refusals.count < 50, acknowledged < 5000 {
            let start = ContinuousClock.now
            let refusal = await Self.write(client, acknowledged)
            if let refusal {
                refusals.append(ContinuousClock.now - start)
                try #require(refusal.code == .resourceExhausted, "\(refusal)\n\(cluster.logs)")
                #expect(refusal.message.contains("no space"), "\(refusal)")
            } else {
                acknowledged += 1
            }
        }
        try #require(refusals.count == 50)
        #expect(acknowledged > 10)
        try await Self.check(client, acknowledged)

        try FileManager.default.removeItem(atPath: ballast)
        let freed = ContinuousClock.now
        while let refusal = await Self.write(client, acknowledged) {
            try #require(refusal.code == .resourceExhausted, "\(refusal)")
            try #require(ContinuousClock.now - freed < .seconds(10), "\(cluster.logs)")
            try await Task.sleep(for: .milliseconds(10))
        }
        let resumed = ContinuousClock.now - freed
        acknowledged += 1
        for _ in 0..<5 where await Self.write(client, acknowledged) == nil {
            acknowledged += 1
        }
        try await Self.check(client, acknowledged)
        cluster.killAll()
        let verified = try await cluster.loci("verify", folder)
        #expect([0, 3].contains(verified.code), "\(verified)")
        try cluster.startAll()
        try await cluster.waitUntilReady()
        try await Self.check(client, acknowledged)

        refusals.sort()
        #expect(refusals[25] < .milliseconds(10), "\(refusals)")
        #expect(resumed < .seconds(1))
        print(
            "full disk: \(acknowledged) writes acknowledged, refused in \(refusals[25]) (median) "
                + "to \(refusals[49]), again \(resumed) after there was room")
        cluster.killAll()
        _ = disk
    }

    @Test("has its files checked by loci verify and shown by loci inspect")
    func verifies() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [200_000, 264])
        let cells = (0..<UInt64(12_000)).map { $0 * 16 }
        _ = try await client.write(
            "rows", cells: cells, bytes: Bytes(values: cells.flatMap { [$0] + Array(1..<33) }))
        let data = "\(cluster.folder)/data"
        let running = try await cluster.loci("verify", data)
        #expect(running.code == 1 && running.errors.contains("in use by another process"))
        for name in cluster.names { cluster.process(name)!.end(SIGTERM) }
        let stopped = try await cluster.loci("verify", data)
        #expect([0, 3].contains(stopped.code), "\(stopped)")
        #expect(stopped.output.contains("are what was written"))

        let segment = try #require(Self.firstSegment(in: data))
        let file = try FileHandle(forUpdating: URL(filePath: segment))
        let byte = try file.read(upToCount: 1)![0]
        try file.seek(toOffset: 0)
        try file.write(contentsOf: [byte ^ 1])
        try file.close()
        let shown = try await cluster.loci("inspect", segment, "--limit", "3")
        let damaged = try await cluster.loci("verify", data, "--json")
        if shown.output.contains("DAMAGED") {
            #expect(shown.code == 1 && damaged.code == 1)
            #expect(damaged.output.contains("\"subject\" : \"page 0 of space"), "\(damaged)")
        } else {
            Issue.record("\(shown)\n\(damaged)")
        }
        let log = try await cluster.loci("inspect", Self.firstLog(in: data), "--json")
        #expect(log.output.contains("\"kind\" : \"log\""), "\(log)")
        let nothing = try await cluster.loci("inspect", "/etc/hostname")
        #expect(nothing.code == 1 && nothing.errors.contains("no file of a shard"))
    }

    /// A segment with page 0 in it.
    private static func firstSegment(in folder: String) -> String? {
        files(in: folder).sorted().first { path in
            guard path.hasSuffix("/0.segment"), let file = FileHandle(forReadingAtPath: path),
                let start = try? file.read(upToCount: 16384)
            else { return false }
            return start.contains { $0 != 0 }
        }
    }

    private static func firstLog(in folder: String) -> String {
        files(in: folder).sorted().first { $0.hasSuffix(".log") } ?? ""
    }

    private static func files(in folder: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: folder)
        return (names?.allObjects as? [String] ?? []).map { "\(folder)/\($0)" }
    }
}
