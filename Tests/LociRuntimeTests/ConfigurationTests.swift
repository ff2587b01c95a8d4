import Foundation
import LociBase
import LociModel
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
        #expect(configuration.pageCacheBytes == 256 << 20)
        #expect(configuration.checkpointLogBytes == 256 << 20)
        #expect(configuration.ioThreads == 4)
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
            page-cache: 2GiB
            checkpoint-after: 64 MiB
            io-threads: 8
            insecure: true
            log-level: debug
            """)
        #expect(configuration.name == "west-2")
        #expect(configuration.clusterID == 0x00c0_ffee_0000_0001)
        #expect(configuration.dataFolder == "/srv/loci")
        #expect(configuration.partitions == 16)
        #expect(configuration.coordinator.text == "ipc:///run/loci/coordinator")
        #expect(configuration.pageCacheBytes == 2 << 30)
        #expect(configuration.checkpointLogBytes == 64 << 20)
        #expect(configuration.ioThreads == 8)
        #expect(configuration.isInsecure)
        #expect(configuration.logLevel == .debug)
    }

    @Test(
        "that is wrong is refused with its key, its line and what is allowed",
        arguments: [
            ("page-cash: 1GiB", "'page-cash' is not a key", "page-cache"),
            ("page-cache: 1MiB", "'page-cache' must be 16MiB to 64TiB", "KiB"),
            ("page-cache: lots", "'page-cache' must be 16MiB", "KiB"),
            ("page-cache: 99999999999999TiB", "'page-cache' must be 16MiB", ""),
            ("page-cache: [1GiB]", "'page-cache' must be a single value", ""),
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
            #expect(text.contains("\n\(key): ") || text.contains("\n# \(key): "), "\(key)")
        }
    }
}
