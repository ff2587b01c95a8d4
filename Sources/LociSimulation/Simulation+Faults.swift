import LociBase
import LociCluster
import LociModel
import LociStorage

/// Crashes, restarts and partitions.
extension Simulation {
    func startShard(_ shard: Int) {
        guard !shards[shard].isUp else { return }
        do throws(LociError) {
            let clock = now
            try shards[shard].start(at: now, stopwatch: { clock })
        } catch {
            fail("shard \(shard) could not recover: \(error)")
        }
    }

    func startCoordinator() {
        guard coordinator == nil else { return }
        coordinatorLife += 1
        do {
            let store = try MetadataStore(folder: "coordinator", fileSystem: coordinatorDisk)
            let (metadata, rarity) = try CoordinatorRecovery.open(
                store, clusterID: Self.clusterID, map: map)
            metadataStore = store
            let clock = now
            coordinator = CoordinatorNode(
                metadata: metadata, endpoints: shards.map { "simulated-\($0.index)" },
                rarity: rarity, tuning: tuning, givesHints: gossip != nil, gossip: gossip,
                stopwatch: { clock })
        } catch {
            fail("the coordinator could not start: \(error)")
        }
        plan(.tick(life: coordinatorLife), afterMicroseconds: 1000)
    }

    func injectFault() {
        guard !areFaultsOver else { return }
        let shard = random.below(shards.count)
        switch random.below(10) {
        case 0:
            guard coordinator != nil else { return }
            coordinator = nil
            metadataStore = nil
            coordinatorLife += 1
            coordinatorDisk.crash(seed: random.next())
            report.coordinatorCrashes += 1
            plan(.startCoordinator, afterMicroseconds: UInt64(random.below(500_000) + 50_000))
        case 1...6:
            guard shards[shard].isUp else { return }
            shards[shard].crash(seed: random.next())
            report.shardCrashes += 1
            plan(.startShard(shard), afterMicroseconds: UInt64(random.below(1_500_000) + 20_000))
        default:
            // Both directions, or only one.
            let way = random.below(3)
            if way != 1 { network.isCutFromCoordinator.insert(shard) }
            if way != 2 { network.isCutToCoordinator.insert(shard) }
            report.partitions += 1
            plan(.heal(shard), afterMicroseconds: UInt64(random.below(2_000_000) + 200_000))
        }
    }

    func endFaults() {
        areFaultsOver = true
        network.faults = SimulatedNetwork.Faults()
        network.isCutFromCoordinator = []
        network.isCutToCoordinator = []
        startCoordinator()
        for shard in shards.indices { startShard(shard) }
        workload.stopWriting()
        awaitRest()
    }
}
