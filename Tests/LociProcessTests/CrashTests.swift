import Foundation
import LociBase
import LociClient
import Testing

/// What may be seen of things that one task changes: the last acknowledged value, or any whose
/// outcome is not known since.
struct Expected<Key: Hashable & Sendable, Value: Hashable & Sendable>: Sendable {
    private(set) var possible: [Key: Set<Value>] = [:]
    let initial: Value

    init(_ keys: some Sequence<Key>, initially initial: Value) {
        self.initial = initial
        for key in keys { possible[key] = [initial] }
    }

    mutating func set(_ key: Key, _ value: Value, isAcknowledged: Bool) {
        if isAcknowledged { possible[key] = [value] } else { possible[key]!.insert(value) }
    }

    func allows(_ key: Key, _ value: Value) -> Bool { possible[key]?.contains(value) ?? false }
    var unsure: [Key] { possible.filter { $0.value.count > 1 }.map(\.key) }
}

/// Kills processes at random moments and starts them again, without waiting for them.
struct Killer {
    let cluster: LocalCluster
    let victims: [String]
    var random: SeededRandom
    var longestLifeMilliseconds = 600

    mutating func run(kills: Int) async throws {
        for _ in 0..<kills {
            try await pause(longest: longestLifeMilliseconds)
            let name = victims[random.below(victims.count)]
            cluster.kill(name)
            try await pause(longest: 300)
            try cluster.start(name)
        }
    }

    private mutating func pause(longest milliseconds: Int) async throws {
        try await Task.sleep(for: .milliseconds(random.below(milliseconds)))
    }
}

/// Writes cells of its own and reads them back, until it is cancelled.
private struct CellWriter {
    static let cellBytes = 48
    let client: LociClient
    let cells: Range<UInt64>
    var random: SeededRandom
    var expected: Expected<UInt64, UInt64>
    var acknowledged = 0
    var failed = 0
    /// Sentences about what must not be.
    var wrong: [String] = []

    init(_ client: LociClient, cells: Range<UInt64>, seed: UInt64) {
        self.client = client
        self.cells = cells
        random = SeededRandom(seed: seed)
        expected = Expected(cells, initially: 0)
    }

    /// A cell's number and the number of its write, three times; zeros before the first.
    static func content(_ cell: UInt64, _ write: UInt64) -> [UInt64] {
        write == 0 ? Array(repeating: 0, count: 6) : [cell, write, cell, write, cell, write]
    }

    mutating func run() async -> CellWriter {
        var number: UInt64 = 0
        while !Task.isCancelled {
            number += 1
            let batch = Set(
                (0..<16).map { _ in cells.lowerBound + UInt64(random.below(cells.count)) })
            await write(Array(batch), number)
            if random.chance(0.3) { _ = try? await check(Array(batch)) }
        }
        return self
    }

    private mutating func write(_ batch: [UInt64], _ number: UInt64) async {
        let bytes = Bytes(values: batch.flatMap { Self.content($0, number) })
        let isAcknowledged = (try? await client.write("cells", cells: batch, bytes: bytes)) != nil
        for cell in batch { expected.set(cell, number, isAcknowledged: isAcknowledged) }
        if isAcknowledged { acknowledged += 1 } else { failed += 1 }
    }

    mutating func check(_ asked: [UInt64]) async throws {
        let answer = try await client.read("cells", cells: asked)
        for (index, cell) in asked.enumerated() {
            let words = answer[index].values(UInt64.self)
            if words != Self.content(cell, words[1]) || !expected.allows(cell, words[1]) {
                let allowed = expected.possible[cell]!.sorted()
                wrong.append("cell \(cell) holds \(words), allowed were writes \(allowed)")
            }
        }
    }
}

extension ProcessTests {
    @Test("keeps every acknowledged write through kill -9 of random processes at random moments")
    func writesSurviveKills() async throws {
        let kills = Programs.size("LOCI_PROCESS_KILLS", default: 20)
        let seed = UInt64(Programs.size("LOCI_PROCESS_SEED", default: 20))
        let cluster = try await LocalCluster.running()
        let client = try cluster.client(deadline: .seconds(3))
        try await client.createField(
            "cells", elementType: .raw, shape: [4000, UInt64(CellWriter.cellBytes)])
        let writers = (0..<4).map { index in
            Task {
                var writer = CellWriter(
                    client, cells: UInt64(index * 1000)..<UInt64(index * 1000 + 1000),
                    seed: seed + UInt64(index))
                return await writer.run()
            }
        }
        defer { for writer in writers { writer.cancel() } }
        var killer = Killer(
            cluster: cluster, victims: cluster.names, random: SeededRandom(seed: seed))
        try await killer.run(kills: kills)
        for writer in writers { writer.cancel() }
        try await cluster.waitUntilReady()
        var acknowledged = 0
        var failed = 0
        for task in writers {
            var writer = await task.value
            try await Self.patiently { try await writer.check(Array(writer.cells)) }
            let some = writer.wrong.prefix(3)
            #expect(some.isEmpty, "seed \(seed)\n\(cluster.logs)")
            acknowledged += writer.acknowledged
            failed += writer.failed
        }
        #expect(acknowledged > kills * 10)
        print(
            "\(kills) kills, seed \(seed): \(acknowledged) writes of 16 cells acknowledged, "
                + "\(failed) failed")
    }
}
