import Foundation
import LociBase
import LociClient
import LociModel
import Testing

/// Sparse distributed memories in clusters of real processes.
@Suite(.serialized) struct MemoryTests {
    private static func noisy(
        _ vector: BinaryVector, flips: Int, _ random: inout SeededRandom
    ) -> BinaryVector {
        var noisy = vector
        for bit in (0..<vector.count).shuffled(using: &random).prefix(flips) {
            noisy[bit].toggle()
        }
        return noisy
    }

    @Test(.timeLimit(.minutes(3)))
    func oneShardAndFourGiveTheSameBitsAlsoAfterAKill() async throws {
        var random = SeededRandom(seed: 1)
        let patterns = (0..<40).map { _ in BinaryVector(random: 256, using: &random) }
        let probes = patterns.map { Self.noisy($0, flips: 38, &random) }
        var answers: [[MemoryReading]] = []
        for shards in [1, 4] {
            let cluster = try await LocalCluster.running(shards: shards)
            let client = try cluster.client()
            try await client.createMemory(
                "patterns", bits: 256, locations: 10_000, radius: 108, seed: 7)
            let wrote = try await client.writeMemory("patterns", data: patterns)
            #expect(wrote.count == 40)
            let before = try await client.readMemory("patterns", at: probes)
            #expect(before.receipt.shardsAnswered >= UInt32(shards))
            for name in cluster.names where name.hasPrefix("shard") {
                cluster.kill(name)
                try cluster.start(name)
            }
            try await cluster.waitUntilReady()
            let after = try await client.readMemory("patterns", at: probes)
            #expect(after.readings == before.readings)
            answers.append(after.readings)
        }
        #expect(answers[0] == answers[1])
        let restored = zip(patterns, answers[0]).count { pattern, reading in
            reading.isFixedPoint && reading.vector.distance(to: pattern) <= 2
        }
        #expect(restored >= 38, "\(restored) of 40")
    }

    @Test(.timeLimit(.minutes(2)))
    func theCommandLineRestoresAFileOfVectorsAndSaysWhatItReached() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        var random = SeededRandom(seed: 2)
        let patterns = (0..<5).map { _ in BinaryVector(random: 64, using: &random) }
        let names = ["patterns", "noisy", "restored"].map { "\(cluster.folder)/\($0).npy" }
        try Self.write(patterns, to: names[0])
        try Self.write(patterns.map { Self.noisy($0, flips: 4, &random) }, to: names[1])
        let created = try await cluster.loci(
            "memory", "create", "m", "--bits", "64", "--locations", "5000", "--radius", "22")
        #expect(created.code == 0, "\(created.errors)")
        let wrote = try await cluster.loci("memory", "write", "m", "--vector", "@\(names[0])")
        #expect(wrote.code == 0 && wrote.output.contains("5 vectors"), "\(wrote.errors)")
        let read = try await cluster.loci(
            "memory", "read", "m", "--vector", "@\(names[1])", "-o", names[2])
        #expect(read.code == 0, "\(read.errors)")
        #expect(read.output.components(separatedBy: "yes").count == 6, "\(read.output)")
        let restored = try Data(contentsOf: URL(filePath: names[2]))
        #expect(restored == (try Data(contentsOf: URL(filePath: names[0]))))
        let listed = try await cluster.loci("memory", "list")
        #expect(listed.output.contains("5,000"), "\(listed.output)")
        let wrong = try await cluster.loci("memory", "read", "m", "--vector", "0,1,2")
        #expect(wrong.code == 1 && wrong.errors.contains("64"), "\(wrong.errors)")
        let dropped = try await cluster.loci("memory", "drop", "m")
        #expect(dropped.code == 0)
        let gone = try await cluster.loci("memory", "read", "m", "--vector", "0,1")
        #expect(gone.code == 1 && gone.errors.contains("NOT_FOUND"), "\(gone.errors)")
    }

    /// A hundred patterns in 10,000 locations of 256 bits: the best radius is 108.
    @Test(.timeLimit(.minutes(2)))
    func theCommandLineChoosesTheRadiusAndWarnsOfOneThatCannotWork() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        func create(_ name: String, _ option: String, _ value: String) async throws -> Ended {
            try await cluster.loci(
                "memory", "create", name, "--bits", "256", "--locations", "10000", option, value)
        }
        let chosen = try await create("chosen", "--seed", "1")
        #expect(chosen.code == 0 && chosen.output.contains("activates about 73 of"))
        #expect(chosen.output.contains("radius of 108 bits"), "\(chosen.output)")
        let sparse = try await create("sparse", "--items", "100000")
        #expect(sparse.output.contains("radius of 102 bits"), "\(sparse.output)")
        let empty = try await create("empty", "--radius", "60")
        #expect(empty.code == 0 && empty.errors.contains("no hard location"), "\(empty.errors)")
        let both = try await cluster.loci(
            "memory", "create", "both", "--bits", "256", "--locations", "10000", "--radius", "60",
            "--items", "7")
        #expect(both.code != 0 && both.errors.contains("--items"), "\(both.errors)")
        let huge = try await cluster.loci(
            "memory", "create", "huge", "--bits", "64", "--locations", "16777216", "--radius", "44")
        #expect(huge.code == 1 && huge.errors.contains("radius of at most"), "\(huge.errors)")
    }

    /// Bytes of 0 and 1, as numpy saves them.
    private static func write(_ vectors: [BinaryVector], to path: String) throws {
        let shape = "(\(vectors.count), \(vectors[0].count))"
        var header = "{'descr': '|u1', 'fortran_order': False, 'shape': \(shape), }"
        header = header.padding(toLength: 117, withPad: " ", startingAt: 0) + "\n"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8)
        for vector in vectors { bytes += (0..<vector.count).map { vector[$0] ? 1 : 0 } }
        try Data(bytes).write(to: URL(filePath: path))
    }
}
