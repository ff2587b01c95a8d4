public import LociBase
public import LociModel

/// A page that somebody wants to look at.
public struct PageRequest: Sendable {
    public let address: PageAddress
    public let pageBytes: Int
    /// The slowest tier that may be asked for it.
    public let slowest: Tier
    /// Nobody waits for it: it goes behind all that somebody waits for.
    public let isBackground: Bool
    /// What has not begun by then is not to be begun; nil: there is no such time.
    public let notAfter: Instant?

    public init(
        address: PageAddress, pageBytes: Int, slowest: Tier = .object,
        isBackground: Bool = false, notAfter: Instant? = nil
    ) {
        self.address = address
        self.pageBytes = pageBytes
        self.slowest = slowest
        self.isBackground = isBackground
        self.notAfter = notAfter
    }

    /// The same, now that somebody waits for it.
    public var hastened: PageRequest {
        PageRequest(address: address, pageBytes: pageBytes, slowest: slowest)
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
