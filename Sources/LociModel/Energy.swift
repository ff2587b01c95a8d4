/// What moving bytes out of a tier, and waiting for it, costs in energy: a model, never a
/// measurement. Whatever shows its results calls them modelled.
///
/// The energy of an answer is, summed over tiers, `bytes * picojoulesPerByte` plus `idleWatts` for
/// the time that the answer waited for the tier. The defaults are of one device per tier and shard
/// and are meant to compare answers with each other, not to predict a bill.
public struct EnergyModel: Equatable, Sendable {
    public struct Coefficients: Equatable, Sendable {
        /// Energy per byte that leaves the tier.
        public var picojoulesPerByte: Double
        /// Power of the device while it is only on.
        public var idleWatts: Double

        public init(picojoulesPerByte: Double, idleWatts: Double) {
            self.picojoulesPerByte = picojoulesPerByte
            self.idleWatts = idleWatts
        }
    }

    private var coefficients: [Coefficients]

    public subscript(tier: Tier) -> Coefficients {
        get { coefficients[Int(tier.rawValue)] }
        set { coefficients[Int(tier.rawValue)] = newValue }
    }

    /// Of the defaults, or of measured devices.
    public init(_ coefficients: (Tier) -> Coefficients = EnergyModel.standard) {
        self.coefficients = Tier.allCases.map(coefficients)
    }

    /// The documented constants.
    ///
    /// - accelerator: HBM2 at 3.92 pJ/bit (O'Connor et al., "Fine-Grained DRAM", MICRO 2017); 10 W
    ///   assumed for a stack and its controller.
    /// - dram: 1.3 to 2.6 nJ for an access of 64 bits (Horowitz, "Computing's Energy Problem",
    ///   ISSCC 2014), of which the middle; 3 W assumed for the modules of one channel.
    /// - far: dram and 10 pJ/bit assumed for the serial link in both directions; 8 W assumed.
    /// - ssd: assumed 8 W above idle at 6.5 GB/s; 4 W idle. Typical of PCIe 4 drives.
    /// - hdd: assumed 4 W above idle at 250 MB/s; 5 W idle. Typical of 3.5 inch drives.
    /// - object: a disk and assumed 20 nJ per byte for network and servers; idle power is shared by
    ///   so many that none is counted.
    public static func standard(_ tier: Tier) -> Coefficients {
        switch tier {
        case .accelerator: Coefficients(picojoulesPerByte: 3.92 * 8, idleWatts: 10)
        case .dram: Coefficients(picojoulesPerByte: 1950.0 / 8, idleWatts: 3)
        case .far: Coefficients(picojoulesPerByte: 1950.0 / 8 + 80, idleWatts: 8)
        case .ssd: Coefficients(picojoulesPerByte: 8e12 / 6.5e9, idleWatts: 4)
        case .hdd: Coefficients(picojoulesPerByte: 4e12 / 250e6, idleWatts: 5)
        case .object: Coefficients(picojoulesPerByte: 4e12 / 250e6 + 20_000, idleWatts: 0)
        }
    }

    /// Joules, modelled, of what one tier did.
    public func joules(_ cost: TierCost, of tier: Tier) -> Double {
        let coefficients = self[tier]
        return Double(cost.bytes) * coefficients.picojoulesPerByte * 1e-12
            + Double(cost.waitMicroseconds) * 1e-6 * coefficients.idleWatts
    }
}

extension Receipt {
    /// Joules of the tiers' work, modelled; processors and network are not in it.
    public func joules(_ model: EnergyModel = EnergyModel()) -> Double {
        Tier.allCases.reduce(0) { $0 + model.joules(tiers[$1], of: $1) }
    }
}
