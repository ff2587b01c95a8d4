import LociBase
import LociModel
import LociSearch
import LociWire
import Testing

@testable import LociCluster

@Suite struct MemoryCoordinatorTests {
    private static func create(_ bits: UInt32, _ locations: UInt64, _ radius: UInt32) -> Body {
        .createMemory(
            CreateMemory(
                name: "m", bits: bits, locations: locations, radius: radius, seed: 0))
    }

    /// At each of these an address activates nearly all of the hard locations.
    @Test func aMemoryThatShardsCannotBearIsRefusedWithARadiusThatTheyCan() throws {
        let shapes: [(UInt32, UInt64, UInt32)] = [
            (64, 1 << 24, 44), (8, 1 << 24, 8), (8192, 1 << 18, 8192), (1000, 1 << 24, 520),
        ]
        for (bits, locations, radius) in shapes {
            var stage = CoordinatorStage()
            let refused = stage.ask(Self.create(bits, locations, radius))
            let error = try #require(refused.failure)
            #expect(error.code == .invalidArgument && refused.persists.isEmpty)
            let words = error.advice.split { !$0.isNumber }
            let largest = try #require(words.first.flatMap { UInt32($0) }, "\(error)")
            #expect(largest < radius)
            let next = stage.ask(Self.create(bits, locations, largest + 1))
            #expect(next.failure?.code == .invalidArgument)
            // Nothing of what was refused is left, and this is really possible.
            let done = stage.ask(Self.create(bits, locations, largest))
            #expect(done.failure == nil && done.persists.count == 1)
        }
    }

    @Test func aMemoryOfNoRadiusIsRefusedIfAnyActivatesTooMany() throws {
        var stage = CoordinatorStage()
        let error = try #require(stage.ask(Self.create(1, 1 << 24, 0)).failure)
        #expect(error.code == .invalidArgument && error.advice.contains("fewer hard locations"))
    }

    @Test func usualMemoriesAreCreatedAlsoOnOneShard() {
        let shapes: [(UInt32, UInt64, UInt32)] = [
            (1000, 1_000_000, 451), (256, 20_000, 108), (8192, 1 << 20, 3960), (64, 5000, 22),
            (64, 100, 64),
        ]
        for (bits, locations, radius) in shapes {
            var stage = CoordinatorStage(shards: 1)
            #expect(stage.ask(Self.create(bits, locations, radius)).persists.count == 1)
        }
    }
}
