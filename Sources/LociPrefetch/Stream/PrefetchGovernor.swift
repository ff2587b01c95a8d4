/// Gives candidates what they earn. Each has a credit: a fetch costs `cost`, measured in what a
/// right prediction saves; a page that was asked for earns 1; a fetch that was not made is refunded.
/// Who cannot pay is silent, but for a probe now and then. So
///
/// - what a candidate may waste is bounded: its first credit, and what its right predictions
///   earned lately, at most `mostCredit`;
/// - a candidate whose precision is above `cost` earns more than it spends, and its budget grows;
/// - one that has turned bad is silent after at most `mostCredit / cost` fetches.
///
/// It also says how far ahead to fetch: farther while pages come late, less far when they are
/// wasted.
struct PrefetchGovernor: Sendable {
    static let firstCredit: Float = 32
    static let mostCredit: Float = 128
    /// Accesses from one probe to the next.
    static let probeInterval: UInt32 = 256

    struct Account: Sendable {
        var credit = PrefetchGovernor.firstCredit
        var depth: Float = 1
        /// How often its proposals were right lately, issued or not.
        var recentRight: Float = 0.5
        var issued: UInt64 = 0
        var right: UInt64 = 0
        var wasted: UInt64 = 0
        var scored: UInt64 = 0
        var scoredRight: UInt64 = 0
    }

    private(set) var accounts: [Account]
    let cost: Float
    private let mostDepth: Float
    private var nextProbe: UInt32 = 0
    /// Share of what was issued that was found resident.
    private(set) var residentShare: Float = 0

    init(cost: Float, mostDepth: Int) {
        accounts = Array(repeating: Account(), count: PrefetchCandidate.allCases.count)
        self.cost = cost
        self.mostDepth = Float(mostDepth)
    }

    func depth(of payer: Int) -> Int { Int(accounts[payer].depth) }

    func isSilent(_ payer: Int) -> Bool { accounts[payer].credit < cost }

    /// Whether a fetch may be issued; it is paid for with that.
    mutating func pay(_ payer: Int, now: UInt32) -> Bool {
        if isSilent(payer) {
            guard now &- nextProbe < 1 << 31 else { return false }
            nextProbe = now &+ Self.probeInterval
        } else {
            accounts[payer].credit -= cost
        }
        accounts[payer].issued += 1
        residentShare -= residentShare / 64
        return true
    }

    mutating func refund(_ payer: Int) {
        accounts[payer].credit = min(accounts[payer].credit + cost, Self.mostCredit)
        accounts[payer].issued -= 1
        residentShare += 1.0 / 64
    }

    mutating func earn(_ payer: Int) {
        accounts[payer].credit = min(accounts[payer].credit + 1, Self.mostCredit)
        accounts[payer].right += 1
        accounts[payer].depth = max(1, accounts[payer].depth - 1.0 / 256)
    }

    mutating func wasLate(_ payer: Int) {
        accounts[payer].depth = min(accounts[payer].depth + 0.5, mostDepth)
    }

    mutating func wasWasted(_ payer: Int) {
        accounts[payer].wasted += 1
        accounts[payer].depth = max(1, accounts[payer].depth - 0.25)
    }

    /// A proposal of theirs was judged, issued or not.
    mutating func score(_ supporters: UInt8, isRight: Bool) {
        for index in accounts.indices where supporters >> UInt8(index) & 1 == 1 {
            accounts[index].scored += 1
            accounts[index].scoredRight += isRight ? 1 : 0
            accounts[index].recentRight +=
                ((isRight ? 1 : 0) - accounts[index].recentRight) / 64
        }
    }
}
