import Foundation
import LociModel
import LociWire
import Testing

@Suite struct ProtoFilesTests {
    private let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func theGeneratedCodeIsCurrent() throws {
        let process = Process()
        process.executableURL = root.appendingPathComponent("scripts/generate-wire")
        process.arguments = ["--check"]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "Run scripts/generate-wire and commit.")
    }

    /// The types of the fields of each message.
    private func messages() throws -> [String: [String]] {
        var fields: [String: [String]] = [:]
        for file in ["loci", "client", "shard", "prefetch", "content"] {
            let url = root.appendingPathComponent("proto/\(file).proto")
            var message: String?
            for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
                let words = line.split(separator: " ").map(String.init)
                if words[0] == "message" {
                    message = words[1]
                    fields[words[1]] = []
                } else if line == "}" {
                    message = nil
                } else if let message, words[0] != "//" {
                    fields[message]?.append(words[0] == "repeated" ? words[1] : words[0])
                }
            }
        }
        return fields
    }

    /// A property without a field would be lost on the way, silently if it has a default.
    @Test func everyPropertyHasAField() throws {
        let fields = try messages()
        var random = RandomMessages(seed: 1)
        var values: [Any] = (0..<RandomMessages.kinds).compactMap { kind in
            Mirror(reflecting: random.message(kind: kind).body).children.first?.value
        }
        let status = random.statusAnswer(shards: 1, collections: 1)
        values += [random.receipt(), random.vitals(), status.shards[0], status.collections[0]]
        values += [random.tierCost(), random.tierVitals(.ssd), random.snapshotEntry()] as [Any]
        values += [random.tally(), random.gossipVitals(), random.shardPlace()] as [Any]
        values += [random.tierBytes(.ssd), random.setting(recall: 0.9)] as [Any]
        #expect(values.count == fields.count - 1)
        for value in values {
            let name = String(describing: type(of: value))
            let message = name == "LociError" ? "Failure" : name
            // The tier that a cost belongs to is its place in `TierCosts`.
            let properties = Mirror(reflecting: value).children.count + (value is TierCost ? 1 : 0)
            #expect(properties == fields[message]?.count, "\(name)")
        }
    }

    /// A message that may contain itself makes a decoder recurse as deep as a peer likes.
    @Test func noMessageContainsItself() throws {
        let parts = try messages()
        #expect(parts["StatusAnswer"]?.contains("ShardStatus") == true)
        func reaches(_ target: String, from start: String, _ depth: Int = 0) -> Bool {
            if depth > parts.count { return true }
            return (parts[start] ?? []).contains {
                $0 == target || reaches(target, from: $0, depth + 1)
            }
        }
        for message in parts.keys { #expect(!reaches(message, from: message)) }
    }
}
