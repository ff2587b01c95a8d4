import ArgumentParser
import Foundation
import LociSimulation

/// `loci-simulate memory`: what sparse distributed memories recall, beside what is known of them.
struct MemoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Fills sparse distributed memories and counts which patterns come back.",
        discussion: """
            Memories of 20,000 hard locations of 256 bits, by stored patterns and noise; each also \
            split over partitions, read from there and compared bit by bit. Then Kanerva's memory \
            of a million locations of 1,000 bits and 10,000 patterns: how much of two addresses' \
            active locations is the same, and the wrong bits that one reading leaves. Activation, \
            counters and merging are those of shards and coordinator; nothing is stored or sent. \
            The exit status is 1 if a mark is missed, a split memory differs, or a figure of the \
            large memory is off by more than chance allows.
            """)

    @Option(help: "Small memories, from 1 to 1,000; each is read 30 times for every line.")
    var memories = 10

    @Option(help: "Partitions of those that are split, from 2 to 1,024.")
    var partitions = 4

    @Option(help: "Readings of the large memory at each distance, from 2 to 100; 0: leave it out.")
    var probes = 24

    @Option(help: "Pairs of addresses at each distance, from 2 to 10,000.")
    var pairs = 200

    @Option(help: "The seed.")
    var seed: UInt64 = 1

    func validate() throws {
        if !(1...1000).contains(memories) {
            throw ValidationError("--memories is from 1 to 1000.")
        }
        if !(2...1024).contains(partitions) {
            throw ValidationError("--partitions is from 2 to 1024.")
        }
        if probes != 0, !(2...100).contains(probes) {
            throw ValidationError("--probes is 0 or from 2 to 100.")
        }
        if !(2...10_000).contains(pairs) {
            throw ValidationError("--pairs is from 2 to 10000.")
        }
    }

    func run() throws {
        let recall = try MemoryRecallTrial(
            memories: memories, partitions: partitions, seed: seed
        ).run { note("\($0) of \(memories) memories") }
        print(
            """
            simulated, seed \(seed): \(MemoryRecallTrial.locations) hard locations of \
            \(MemoryRecallTrial.bits) bits, radius \(MemoryRecallTrial.radius)
            \(recall.table)
            """)
        fflush(nil)
        guard probes > 0 else { return try leave(recall.isPassed) }
        let trial = MemoryFullSizeTrial(probes: probes, pairs: pairs, seed: seed)
        let full = try trial.run { progress in
            switch progress {
            case .pairs(let done) where done.isMultiple(of: 50):
                note("\(done) of \(pairs) pairs of addresses")
            case .stored(let done) where done.isMultiple(of: 1000):
                note("\(done) of \(trial.stored) patterns")
            default: break
            }
        }
        print("\nsimulated, seed \(seed): Kanerva's memory\n\(full.table)")
        try leave(recall.isPassed && !full.isOff)
    }

    private func leave(_ isPassed: Bool) throws {
        if isPassed { return }
        print("the memory does not do what it should")
        throw ExitCode(1)
    }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
