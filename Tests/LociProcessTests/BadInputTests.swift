import Foundation
import LociBase
import LociClient
import Testing

/// A command that is refused.
struct BadCommand: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    /// 1: failed; 2: wrong usage.
    let code: Int32
    /// Parts of the sentence on standard error, the last of them of what to do.
    let says: [String]

    init(_ words: String, _ code: Int32, _ says: String...) {
        arguments = words.split(separator: " ").map(String.init)
        self.code = code
        self.says = says
    }

    var testDescription: String { arguments.joined(separator: " ") }

    static let all = [
        BadCommand("read nothing 1", 1, "no field 'nothing'", "loci field list"),
        BadCommand("write nothing 1 00", 1, "no field 'nothing'", "loci field list"),
        BadCommand("read rows 100", 1, "has cells 0 to 99", "loci field info"),
        BadCommand("read rows 95:101", 1, "has cells 0 to 99", "loci field info"),
        BadCommand("read rows --cells 5,100", 1, "has cells 0 to 99", "loci field info"),
        BadCommand("read rows 7:3", 2, "7:3", "the end is not part of a range"),
        BadCommand("read rows 0:2 --out FOLDER/inside", 1, "is a folder", "Name a file"),
        BadCommand("write rows 100 0000000000000000", 1, "has cells 0 to 99", "loci field info"),
        BadCommand("write rows 3 00ff", 1, "8 bytes", "exactly"),
        BadCommand("field create rows --shape 10x8", 1, "already", "rows"),
        BadCommand("field create half --shape 10x0", 1, "axis", "at least 1"),
        BadCommand("field create half --shape 9999999999999x9999999", 1, "larger than", "axis"),
        BadCommand("field create half --shape 10x8 --page-bytes 5000", 1, "5000", "power of two"),
        BadCommand("collection create points --dimension 4", 1, "already", "points"),
        BadCommand("collection create half --dimension 0", 1, "imension", "1"),
        BadCommand("collection create half", 2, "--dimension", "--text"),
        BadCommand("collection create half --dimension 4 --metric cubic", 2, "cubic", "cosine"),
        BadCommand("query points --vector 1,2,3", 1, "dimension 3", "collection info points"),
        BadCommand("query points --vector 1,2,nan,4", 1, "NaN", "finite"),
        BadCommand("query points --vector 1,2,inf,4", 1, "infinity", "finite"),
        BadCommand("query points --vector 1,2,x,4", 2, "not a vector", "@FILE"),
        BadCommand("query points --vector 1,2,3,4 -k 0", 2, "-k must be", "1 to"),
        BadCommand("query points words", 1, "vectors, not text", "--vector"),
        BadCommand("query nothing --vector 1", 1, "no collection 'nothing'", "collection"),
        BadCommand("retrieve nothing 1", 1, "no collection 'nothing'", "collection"),
        BadCommand("delete nothing 1", 1, "no collection 'nothing'", "collection"),
        BadCommand("import nothing FOLDER/short.u8bin", 1, "short.u8bin", "again"),
        BadCommand("import points FOLDER/short.u8bin", 1, "short.u8bin", "again"),
        BadCommand("import points FOLDER/foreign.npy", 1, "foreign.npy", ".npy"),
        BadCommand("import points FOLDER/absent.npy", 1, "absent.npy", "path"),
        BadCommand("import points FOLDER/nan.fvecs", 1, "NaN", "row"),
        BadCommand("import points FOLDER/wide.fvecs", 1, "5 elements", "--dimension 5"),
        BadCommand("status --coordinator tcp://127.0.0.1:11999", 1, "11999", "coordinator"),
        BadCommand("status --coordinator nonsense", 2, "nonsense", "tcp://HOST:PORT"),
        BadCommand("read rows 1 --bogus", 2, "--bogus", "Usage"),
    ]
}

extension ProcessTests {
    @Test("refuses wrong commands with what is wrong and what to do, and does nothing by halves")
    func badCommands() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [100, 8])
        try await client.createCollection("points", dimension: 4, metric: .l2)
        _ = try await client.upsert("points", ids: [1], vectors: [1, 2, 3, 4])
        try Self.badFiles(in: cluster.folder)
        let kept = "\(cluster.folder)/inside/kept"
        try FileManager.default.createDirectory(
            atPath: "\(cluster.folder)/inside", withIntermediateDirectories: false)
        try Data("kept".utf8).write(to: URL(filePath: kept))
        let catalog = try await client.describe()
        for command in BadCommand.all {
            let arguments = command.arguments.map {
                $0.replacingOccurrences(of: "FOLDER", with: cluster.folder)
            }
            let ended = try await cluster.run(arguments)
            let text = ended.errors
            #expect(ended.code == command.code, "\(command.testDescription): \(text)")
            #expect(ended.output.isEmpty, "\(command.testDescription): \(ended.output)")
            for part in command.says {
                #expect(text.contains(part), "\(command.testDescription): \(text)")
            }
            if command.code == 1 {
                #expect(text.split(separator: "\n").count <= 2, "\(text)")
            }
        }
        #expect(FileManager.default.fileExists(atPath: kept))
        #expect(try await client.describe() == catalog)
        let rows = try await client.read("rows", range: 0..<100)
        #expect(rows.bytes == Bytes(zeros: 800))
        #expect(try await client.count("points").count == 1)
    }

    private static func badFiles(in folder: String) throws {
        func write(_ name: String, _ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(filePath: "\(folder)/\(name)"))
        }
        func row(_ values: [Float]) -> [UInt8] {
            let count = withUnsafeBytes(of: Int32(values.count)) { Array($0) }
            return count + values.withUnsafeBytes { Array($0) }
        }
        // 1000 rows of 4 bytes are announced; 10 bytes follow.
        let header: [UInt32] = [1000, 4]
        try write("short.u8bin", header.withUnsafeBytes { Array($0) } + Array(0..<10))
        try write("foreign.npy", Array("%PDF-1.7 this is not an array at all".utf8))
        try write("nan.fvecs", row([1, 2, .nan, 4]))
        try write("wide.fvecs", row([1, 2, 3, 4, 5]))
    }

    @Test("says what keeps a server from starting, and leaves others and their data alone")
    func badStarts() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [100, 8])
        try await client.createCollection("points", dimension: 4, metric: .l2)
        _ = try await client.write("rows", first: 5, bytes: Bytes(utf8: "12345678"))

        // While the cluster runs.
        try await cluster.expectRefusal(of: "coordinator", 1, "listens on", "ss -lxtp")
        try await cluster.expectRefusal(of: "shard-0", 1, "listens on", "ss -lxtp")
        try await cluster.expectRefusal(of: "shard-2", 2, "2 shards", "from 0")
        let good = LocalCluster.configuration(cluster.endpoints)
        try await cluster.expectRefusal(
            of: "shard-0", 2, "'page-cash' is not a key", "bad.yaml:", "tiers",
            configuration: good + "page-cash: 1GiB\n")
        try await cluster.expectRefusal(
            of: "coordinator", 2, "not YAML", configuration: "shards: [")
        try await cluster.expectRefusal(
            of: "coordinator", 1, "cannot be read", "--config", configuration: nil)
        // Other ports, the same folder.
        let ports = try FreePorts.take(3).map { try Endpoint("tcp://127.0.0.1:\($0)") }
        let moved = LocalCluster.configuration(ports)
        try await cluster.expectRefusal(
            of: "shard-1", 1, "in use by another process", "another data folder",
            configuration: moved)
        try await cluster.expectRefusal(
            of: "coordinator", 1, "in use by another process", "another data folder",
            configuration: moved)
        #expect(try await client.read("rows", range: 5..<6).bytes.string == "12345678")

        cluster.killAll()
        let other = good.replacingOccurrences(of: "id: 10c1", with: "id: bad")
        for name in ["coordinator", "shard-1"] {
            try await cluster.expectRefusal(of: name, 1, "luster", "older", configuration: other)
        }
        let blocked = good.replacingOccurrences(of: "folder: data", with: "folder: blocked")
        try cluster.write("a file", to: "blocked")
        for name in ["coordinator", "shard-1"] {
            try await cluster.expectRefusal(
                of: name, 1, "blocked", "older", configuration: blocked)
        }
        let three = LocalCluster.configuration(
            cluster.endpoints + [try Endpoint("tcp://127.0.0.1:\(try FreePorts.take(1)[0])")])
        try await cluster.expectRefusal(
            of: "coordinator", 1, "was created with 2 shards", "a new data folder",
            configuration: three)
        try await Self.checkMismatch(cluster, client, three)
        try cluster.startAll()
        try await cluster.waitUntilReady()
        #expect(try await client.read("rows", range: 5..<6).bytes.string == "12345678")
    }

    /// A shard that was started with another number of shards does not serve, and says why.
    private static func checkMismatch(
        _ cluster: LocalCluster, _ client: LociClient, _ configuration: String
    ) async throws {
        try cluster.write(configuration, to: "three.yaml")
        try cluster.start("shard-1", configuration: "three.yaml")
        try cluster.start("shard-0")
        try cluster.start("coordinator")
        let end = ContinuousClock.now + .seconds(10)
        var refusal = ""
        while ContinuousClock.now < end, !refusal.contains("refuses to serve") {
            do {
                _ = try await client.count("points")
            } catch {
                refusal = "\(error)"
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(refusal.contains("shard 1 of 3"), "\(refusal)")
        #expect(refusal.contains("same cluster file"), "\(refusal)")
        cluster.killAll()
    }
}

extension LocalCluster {
    func run(_ arguments: [String]) async throws -> Ended {
        try await Ended(
            startLoci(arguments), errors: "\(folder)/loci.err", output: "\(folder)/loci.out")
    }

    /// Starts a server with a configuration of its own, and expects it to end with one sentence.
    func expectRefusal(
        of name: String, _ code: Int32, _ says: String..., configuration: String? = "",
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let path = configuration == "" ? "\(folder)/cluster.yaml" : "\(folder)/bad.yaml"
        try? FileManager.default.removeItem(atPath: "\(folder)/bad.yaml")
        if let configuration, configuration != "" { try write(configuration, to: "bad.yaml") }
        for name in ["bad.out", "bad.err"] { try write("", to: name) }
        let (program, arguments) = Self.command(name, path)
        let process = try ChildProcess(
            Programs.path(program), arguments, output: "\(folder)/bad.out",
            errors: "\(folder)/bad.err")
        guard let ended = try await process.wait(.seconds(5)) else {
            process.end(SIGKILL)
            Issue.record("\(name) started: \(says)", sourceLocation: location)
            return
        }
        let text = try String(contentsOfFile: "\(folder)/bad.err", encoding: .utf8)
        #expect(ended == code, "\(text)", sourceLocation: location)
        for part in says {
            #expect(text.contains(part), "\(text)", sourceLocation: location)
        }
        let sentences = text.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(sentences.count == 1, "\(text)", sourceLocation: location)
    }
}
