/// Gives candidates what they earn. Each has a credit: a fetch costs `cost`, measured in what a
/// right prediction saves; a page that was asked for earns 1; a fetch that was not made is
/// refunded. Who cannot pay is silent, but for a probe now and then. So
///
/// - what a candidate may waste is bounded: its first credit, and what its right predictions
///   earned lately, at most `mostCredit`;
/// - a candidate whose precision is above `cost` earns more than it spends, and its budget grows;
/// - one that has turned bad is silent after at most `mostCredit / cost` fetches.
///
/// It also says how far ahead to fetch: farther while pages come late, less far when they are
/// wasted. What lies behind a proposal is fetched if that paid lately, kept apart by how far ahead
/// it was.
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
        /// How often pages that did not come within the window came later, while fetched.
        var laterRight: Float = 0
        /// How often pages fetched from afar were right lately, by `reachClass`.
        var precisionAhead: InlineArray<5, Float> = .init(repeating: 1)
    }

    /// How far ahead a page is, in classes: 0 for the next one, then 2, 3 to 4, 5 to 8, more.
    static func reachClass(_ steps: Int) -> UInt8 {
        switch steps {
        case ...1: 0
        case 2: 1
        case ...4: 2
        case ...8: 3
        default: 4
        }
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

    /// A fetch that nobody has to pay for.
    mutating func lend(_ payer: Int) { accounts[payer].issued += 1 }

    mutating func refund(_ payer: Int) {
        accounts[payer].credit = min(accounts[payer].credit + cost, Self.mostCredit)
        accounts[payer].issued -= 1
        residentShare += 1.0 / 64
    }

    /// How likely a page ahead is to be right, at most, by what came of those before. Where that
    /// is below `cost` none is fetched, so nothing is learned; so each time it is asked it comes a
    /// little nearer to what is expected.
    mutating func precision(
        ahead reach: UInt8, _ payer: Int, expected: Float
    ) -> Float {
        let known = accounts[payer].precisionAhead[Int(reach)]
        if known < cost {
            accounts[payer].precisionAhead[Int(reach)] += max(0, expected - known) / 2048
        }
        return min(expected, known)
    }

    private mutating func learn(ahead reach: UInt8, _ payer: Int, isRight: Bool) {
        guard reach > 0 else { return }
        accounts[payer].precisionAhead[Int(reach)] +=
            ((isRight ? 1 : 0) - accounts[payer].precisionAhead[Int(reach)]) / 32
    }

    /// The fate of a fetched page that did not come within the window.
    mutating func learnLater(_ payer: UInt8, isRight: Bool) {
        accounts[Int(payer)].laterRight +=
            ((isRight ? 1 : 0) - accounts[Int(payer)].laterRight) / 64
    }

    mutating func earn(_ entry: IssuedPages.Entry) {
        let payer = Int(entry.payer)
        learn(ahead: entry.reach, payer, isRight: true)
        accounts[payer].credit = min(accounts[payer].credit + 1, Self.mostCredit)
        accounts[payer].right += 1
        accounts[payer].depth = max(1, accounts[payer].depth - 1.0 / 256)
    }

    mutating func wasLate(_ payer: Int) {
        accounts[payer].depth = min(accounts[payer].depth + 0.5, mostDepth)
    }

    mutating func wasWasted(_ entry: IssuedPages.Entry) {
        let payer = Int(entry.payer)
        if entry.state == .open { learn(ahead: entry.reach, payer, isRight: false) }
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
