public import LociBase
public import LociModel

/// A page that somebody wants to look at.
public struct PageRequest: Sendable {
    public let address: PageAddress
    public let pageBytes: Int
    /// The slowest tier that may be asked for it.
    public let slowest: Tier

    public init(address: PageAddress, pageBytes: Int, slowest: Tier = .object) {
        self.address = address
        self.pageBytes = pageBytes
        self.slowest = slowest
    }
}

/// What became of a request for a page.
public enum PageAnswer: Sendable {
    /// The verified bytes, and where they came from: `dram` if a write that is not yet in the file
    /// had all of them.
    case loaded(Bytes, from: Tier)
    /// It lies in this tier, which was not to be asked.
    case skipped(Tier)
    case failed(StorageError)
}
