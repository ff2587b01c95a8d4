import CLinux

/// A tier that is memory: its arena, and how pages leave it.
public struct MemoryTier: Sendable {
    public let arena: PageArena
    public let eviction: EvictionKind
    /// Far memory without a far node: the same code over ordinary memory.
    public let isEmulated: Bool
    let seed: UInt64

    /// What far memory would take longer for an access than near memory, where it is emulated. It
    /// is told, not waited for. The middle of 70-90 ns for pools of 8-16 sockets in Li et al.,
    /// "Pond: CXL-Based Memory Pooling Systems for Cloud Platforms" (ASPLOS 2023).
    public static let emulatedExtraNanoseconds = 80

    private init(_ arena: PageArena, _ eviction: EvictionKind, isEmulated: Bool, seed: UInt64) {
        self.arena = arena
        self.eviction = eviction
        self.isEmulated = isEmulated
        self.seed = seed
    }

    /// - Parameter seed: Of the process, so that nobody can aim at collisions of hashes.
    public static func dram(
        budgetBytes: Int, eviction: EvictionKind = .standard, seed: UInt64 = 0
    ) -> MemoryTier {
        MemoryTier(
            PageArena(budgetBytes: budgetBytes), eviction, isEmulated: false, seed: seed)
    }

    /// Memory on the last NUMA node, if there is more than one with memory.
    public static func far(
        budgetBytes: Int, eviction: EvictionKind = .standard, seed: UInt64 = 0
    ) -> MemoryTier {
        let node = loci_far_memory_node()
        return MemoryTier(
            PageArena(budgetBytes: budgetBytes, node: node < 0 ? nil : node), eviction,
            isEmulated: node < 0, seed: seed)
    }
}
