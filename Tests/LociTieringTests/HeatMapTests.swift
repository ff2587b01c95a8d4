import LociBase
import LociModel
import LociTiering
import Testing

@Suite struct HeatMapTests {
    private static func extent(_ number: Int) -> ExtentAddress {
        ExtentAddress(space: 1, partition: 0, number: UInt64(number))
    }

    @Test func anExtentIsAMebibyteOfPages() {
        let page = PageAddress(space: 3, partition: 2, page: 130)
        let extent = ExtentAddress(of: page, pageBytes: 16 << 10)
        #expect(extent == ExtentAddress(space: 3, partition: 2, number: 2))
    }

    @Test func whatIsUsedMoreIsHotterAndWhatIsNotUsedAnyMoreCoolsDown() {
        var heat = HeatMap()
        var random = SeededRandom(seed: 1)
        for _ in 0..<20_000 {
            // Extent 0 half of the time, 1 a quarter, and so on.
            var number = 0
            while number < 12, random.chance(0.5) { number += 1 }
            heat.touch(Self.extent(number))
        }
        let heats = (0..<10).map { heat.heat(of: Self.extent($0)) }
        for (hotter, colder) in zip(heats, heats.dropFirst(2)) { #expect(hotter >= colder) }
        #expect(heats[0] > heats[4] && heats[0] > 5)
        let copy = heat
        for use in 0..<100_000 { heat.touch(Self.extent(100 + use % 7)) }
        #expect((0..<10).allSatisfy { heat.heat(of: Self.extent($0)) == 0 })
        #expect(copy.heat(of: Self.extent(0)) == heats[0])
        #expect(heat.extentCount == 7)
    }

    @Test func theSameUsesGiveTheSameHeat() {
        var one = HeatMap()
        var two = HeatMap()
        for use in 0..<5000 {
            one.touch(Self.extent(use * use % 31))
            two.touch(Self.extent(use * use % 31))
        }
        #expect(
            (0..<31).allSatisfy { one.heat(of: Self.extent($0)) == two.heat(of: Self.extent($0)) })
    }
}
