import LociClient
import LociModel
import Testing

@Suite("Receipts")
struct ReceiptTests {
    private func receipt(seed: UInt64) -> Receipt {
        var random = SeededRandom(seed: seed)
        var receipt = Receipt()
        for tier in Tier.allCases {
            receipt.tiers[tier].hits = UInt64(random.below(100))
            receipt.tiers[tier].soft = UInt64(random.below(100))
            receipt.tiers[tier].hard = UInt64(random.below(100))
            receipt.tiers[tier].skipped = UInt64(random.below(100))
            receipt.tiers[tier].bytes = UInt64(random.below(1 << 20))
            receipt.tiers[tier].waitMicroseconds = UInt64(random.below(1000))
        }
        receipt.pagesTouched = receipt.tiers.pages + receipt.tiers.skipped
        return receipt
    }

    @Test("conserve pages by tier, however they are added up")
    func conservation() {
        let parts = (0..<8).map { receipt(seed: $0) }
        var ofShards = Receipt()
        for part in parts { ofShards.add(shard: part) }
        var ofRequests = parts[0]
        for part in parts.dropFirst() { ofRequests.add(request: part) }
        for sum in [ofShards, ofRequests] {
            #expect(sum.tiers.pages + sum.tiers.skipped == sum.pagesTouched)
            #expect(sum.pagesTouched == parts.reduce(0) { $0 + $1.pagesTouched })
            for tier in Tier.allCases {
                #expect(sum.tiers[tier].bytes == parts.reduce(0) { $0 + $1.tiers[tier].bytes })
                let longest = parts.map { $0.tiers[tier].waitMicroseconds }.max()
                #expect(sum.tiers[tier].waitMicroseconds == longest)
            }
        }
    }

    @Test("say energy as the sum over tiers of bytes moved and of waiting")
    func energy() {
        var model = EnergyModel { _ in .init(picojoulesPerByte: 0, idleWatts: 0) }
        model[.ssd] = .init(picojoulesPerByte: 1000, idleWatts: 4)
        model[.hdd] = .init(picojoulesPerByte: 16_000, idleWatts: 5)
        var receipt = Receipt()
        receipt.tiers[.dram].bytes = 1 << 30
        receipt.tiers[.ssd].bytes = 1_000_000
        receipt.tiers[.ssd].waitMicroseconds = 500_000
        receipt.tiers[.hdd].bytes = 1_000_000
        #expect(abs(receipt.joules(model) - (0.001 + 2 + 0.016)) < 1e-12)
        #expect(Receipt().joules() == 0)
    }

    @Test("cost more energy per byte the slower the tier")
    func slowerCostsMore() {
        let costs = Tier.allCases.map { EnergyModel()[$0].picojoulesPerByte }
        #expect(costs == costs.sorted() && Set(costs).count == costs.count)
    }
}
