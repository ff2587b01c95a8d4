import LociBase
import LociPlacement
import Testing

@Suite struct PartitionMapTests {
    @Test func everyPartitionHasOneHome() {
        let map = PartitionMap(partitions: 13, shards: 4)
        let homes = (0..<4).flatMap { map.partitions(of: $0) }
        #expect(homes.sorted() == Array(0..<13))
        for shard in 0..<4 {
            #expect(map.partitions(of: ShardIndex(shard)).allSatisfy { map.shard(of: $0) == shard })
        }
    }
}
