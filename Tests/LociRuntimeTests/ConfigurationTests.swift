import Foundation
import LociBase
import LociModel
import LociTiering
import LociTransport
import Logging
import Testing

@testable import LociRuntime

@Suite("A configuration file")
struct ConfigurationTests {
    private func load(_ text: String) throws(LociError) -> ClusterConfiguration {
        try ClusterConfiguration(document: ConfigurationDocument(text: text, path: "etc/c.yaml"))
    }

    private func refusal(_ text: String) -> LociError? {
        do {
            _ = try load(text)
            return nil
        } catch {
            return error
        }
    }

    @Test("needs shards only and has defaults for the rest")
    func defaults() throws {
        let configuration = try load("shards: [tcp://127.0.0.1:7101, tcp://127.0.0.1:7102]")
        #expect(configuration.name == "local")
        #expect(configuration.clusterID == Bytes(utf8: "local").checksum())
        #expect(configuration.dataFolder == "etc/data")
        #expect(configuration.partitions == 2)
        #expect(configuration.coordinator.text == "tcp://127.0.0.1:7100")
        #expect(configuration.shards.map(\.text).last == "tcp://127.0.0.1:7102")
        #expect(
            configuration.tiers == [
                TierConfiguration(kind: .dram, capacityBytes: 256 << 20, eviction: .standard),
                TierConfiguration(kind: .ssd, capacityBytes: 1 << 50, path: "etc/data"),
            ])
        #expect(configuration.pageIn == .auto)
        #expect(configuration.writeBufferBytes == 64 << 20)
        #expect(configuration.snapshotFolder == "etc/data/snapshots")
        #expect(configuration.checkpointLogBytes == 256 << 20)
        #expect(configuration.prefetch == .on)
        #expect(configuration.gossipMilliseconds == 500)
        #expect(configuration.ioThreads == 16)
        #expect(!configuration.isInsecure)
        #expect(configuration.logLevel == .info)
    }

    @Test("says everything that it can say")
    func everyKey() throws {
        let configuration = try load(
            """
            name: west-2
            id: 00c0ffee00000001
            data-folder: /srv/loci
            partitions: 16
            coordinator: ipc:///run/loci/coordinator
            shards: [ "tcp://10.0.0.4:7101" ]
            tiers:
              - {kind: dram, capacity: 2GiB, eviction: w-tinylfu}
              - {kind: far, capacity: 8GiB}
              - kind: ssd
                path: ssd
                capacity: 40GiB
              - {kind: hdd, path: /mnt/slow, capacity: 2TiB, compression: none}
            page-in: io-uring
            write-buffer: 128MiB
            snapshot-folder: /mnt/snapshots
            checkpoint-after: 64 MiB
            prefetch: told
            gossip: 2s
            io-threads: 8
            insecure: true
            log-level: debug
            """)
        #expect(configuration.name == "west-2")
        #expect(configuration.clusterID == 0x00c0_ffee_0000_0001)
        #expect(configuration.dataFolder == "/srv/loci")
        #expect(configuration.partitions == 16)
        #expect(configuration.coordinator.text == "ipc:///run/loci/coordinator")
        #expect(
            configuration.tiers == [
                TierConfiguration(kind: .dram, capacityBytes: 2 << 30, eviction: .wTinyLFU),
                TierConfiguration(kind: .far, capacityBytes: 8 << 30, eviction: .standard),
                TierConfiguration(kind: .ssd, capacityBytes: 40 << 30, path: "etc/ssd"),
                TierConfiguration(
                    kind: .hdd, capacityBytes: 2 << 40, path: "/mnt/slow",
                    compression: TierConfiguration.Compression.none),
            ])
        #expect(configuration.tier(.hdd)?.folder(of: 3) == "/mnt/slow/shard-3")
        #expect(configuration.pageIn == .ioUring)
        #expect(configuration.writeBufferBytes == 128 << 20)
        #expect(configuration.snapshotFolder == "/mnt/snapshots")
        #expect(configuration.checkpointLogBytes == 64 << 20)
        #expect(configuration.prefetch == .told)
        #expect(configuration.gossipMilliseconds == 2000)
        #expect(try load("shards: [tcp://127.0.0.1:7101]\ngossip: off").gossipMilliseconds == nil)
        #expect(configuration.ioThreads == 8)
        #expect(configuration.isInsecure)
        #expect(configuration.logLevel == .debug)
    }

    @Test(
        "that is wrong is refused with its key, its line and what is allowed",
        arguments: [
            ("page-cash: 1GiB", "'page-cash' is not a key", "page-in"),
            ("page-cache: 1GiB", "'page-cache' is now the capacity of the dram tier", "tiers:"),
            ("write-buffer: 1KiB", "'write-buffer' must be 1MiB to 1TiB", "KiB"),
            ("write-buffer: lots", "'write-buffer' must be 1MiB", "KiB"),
            ("write-buffer: 99999999999999TiB", "'write-buffer' must be 1MiB", ""),
            ("write-buffer: [1GiB]", "'write-buffer' must be a single value", ""),
            ("page-in: magic", "'page-in' must be one of mapping, pread, direct, io-uring", ""),
            ("prefetch: maybe", "'prefetch' must be one of on, told, off", ""),
            ("gossip: 99ms", "'gossip' must be 100ms to 60s, or off", "500ms"),
            ("gossip: 61s", "'gossip' must be 100ms to 60s, or off", "500ms"),
            ("gossip: 500", "'gossip' must be 100ms to 60s, or off", "500ms"),
            ("gossip: s", "'gossip' must be 100ms to 60s, or off", "500ms"),
            ("io-threads: 0", "'io-threads' must be a whole number from 1 to 64", ""),
            ("io-threads: many", "'io-threads' must be a whole number", ""),
            ("partitions: 1", "'partitions' must be a whole number from 2 to 1024", ""),
            ("id: xyz", "'id' must be 1 to 16 hexadecimal digits", ""),
            ("insecure: maybe", "'insecure' must be true or false", ""),
            ("log-level: loud", "'log-level' must be one of trace", ""),
            ("name: a b", "'name' is refused", "letters"),
            ("coordinator: tcp://127.0.0.1:7101", "names tcp://127.0.0.1:7101 a second", "own"),
            ("coordinator: tcp://0.0.0.0:7100", "other machines can reach", "insecure: true"),
            ("coordinator: nonsense", "'coordinator' is refused", ""),
        ])
    func complaints(line: String, message: String, advice: String) throws {
        let text = "# first line\nshards: [tcp://127.0.0.1:7101, tcp://127.0.0.1:7102]\n\(line)\n"
        let error = try #require(refusal(text))
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains(message), "\(error)")
        #expect(advice.isEmpty || error.advice.contains(advice), "\(error)")
        // A second naming shows at whichever of the two keys comes later in the check.
        let place = message.contains("a second") ? "etc/c.yaml:2:" : "etc/c.yaml:3:"
        #expect(error.message.hasPrefix(place), "\(error)")
    }

    @Test(
        "whose tiers are wrong is refused with the line of the entry",
        arguments: [
            ("{kind: ssd}", 3, "'tiers' lacks dram", "{kind: dram"),
            ("{kind: dram}", 3, "'tiers' lacks ssd", "{kind: ssd"),
            ("{kind: ssd}\n- {kind: dram}", 4, "names dram after ssd", "fastest first"),
            ("{kind: dram}\n- {kind: ssd}\n- {kind: ssd}", 5, "names ssd a second", "once"),
            ("{kind: accelerator}", 3, "'tiers: kind' names accelerator", "dram, far, ssd, hdd"),
            ("{kind: dram}\n- {kind: ssd}\n- {kind: object}", 5, "comes later", "dram, far"),
            ("{kind: tape}", 3, "must be one of dram, far, ssd, hdd, not 'tape'", ""),
            ("{capacity: 1GiB}", 3, "'tiers: kind' is missing", "dram"),
            ("{kind: dram, capacity: 1MiB}", 3, "'tiers: capacity' must be 16MiB to 64TiB", "KiB"),
            ("{kind: dram}\n- {kind: ssd, capacity: 1MiB}", 4, "must be 64MiB to 1024TiB", "KiB"),
            ("{kind: dram, eviction: random}", 3, "must be one of s3-fifo, sieve, w-tinylfu", ""),
            ("{kind: dram, path: x}", 3, "'tiers: path' is not a key of the tier dram", "eviction"),
            ("{kind: dram}\n- {kind: ssd, eviction: lru}", 4, "is not a key of the tier ssd", ""),
            ("{kind: dram}\n- {kind: ssd, compression: zstd}", 4, "key of the tier ssd", ""),
            ("{kind: dram}\n- {kind: ssd}\n- {kind: hdd}", 5, "'tiers: path' is missing", "/mnt"),
            (
                "{kind: dram}\n- {kind: ssd}\n- {kind: hdd, path: x, compression: gzip}", 5,
                "must be one of zstd, none", ""
            ),
            ("{kind: dram, size: 1GiB}", 3, "'tiers: size' is not a key", "capacity"),
            ("dram", 3, "'tiers' must hold entries with keys", "kind"),
        ])
    func tierComplaints(entries: String, line: Int, message: String, advice: String) throws {
        let error = try #require(refusal("shards: [tcp://127.0.0.1:1]\ntiers:\n- \(entries)\n"))
        #expect(error.code == .invalidArgument)
        #expect(error.message.hasPrefix("etc/c.yaml:\(line):"), "\(error)")
        #expect(error.message.contains(message), "\(error)")
        #expect(advice.isEmpty || error.advice.contains(advice), "\(error)")
    }

    @Test("with tiers that are no list is refused")
    func tiersWithoutEntries() {
        for text in ["tiers: []", "tiers: dram", "tiers: {kind: dram}"] {
            let error = refusal("shards: [tcp://127.0.0.1:1]\n\(text)")
            #expect(error?.message.contains("etc/c.yaml:2: 'tiers' must be a list") == true)
        }
    }

    @Test("without shards, keys or YAML in it is refused")
    func foreign() {
        #expect(refusal("name: a")?.message.contains("'shards' must be a list") == true)
        #expect(refusal("")?.message.contains("has no keys") == true)
        #expect(refusal("shards: [")?.message.contains("is not YAML") == true)
        #expect(refusal("name: a\nname: b\nshards: []")?.code == .invalidArgument)
    }

    @Test("that does not exist is NOT_FOUND")
    func absent() {
        #expect(throws: LociError.self) { try ClusterConfiguration.load(path: "/nonexistent.yaml") }
    }

    @Test("of the repository names every key and loads")
    func example() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appending(path: "cluster/local.yaml").path()
        #expect(try ClusterConfiguration.load(path: path).shards.count == 4)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for key in ClusterConfiguration.keys {
            #expect(text.contains("\n\(key):") || text.contains("\n# \(key):"), "\(key)")
        }
    }
}
