import Glibc

/// How far the mean of independent observations may lie from the expected value (Hoeffding 1963;
/// Domingos and Hulten, "Mining High-Speed Data Streams", KDD 2000, section 2).
public enum HoeffdingBound {
    /// With probability 1 - delta the mean of `count` values within an interval of length `range`
    /// is no farther than this from the expected value.
    public static func epsilon(range: Double, delta: Double, count: Double) -> Double {
        (range * range * log(1 / delta) / (2 * count)).squareRoot()
    }

    /// Range of information gain among classes, in bits.
    public static func range(classes: Int) -> Double { log2(Double(max(classes, 2))) }

    /// Entropy in bits of a distribution given by counts; 0 if they are all 0.
    static func entropy(_ counts: [Double]) -> Double {
        var total = 0.0
        var sum = 0.0
        for count in counts where count > 0 {
            total += count
            sum += count * log2(count)
        }
        return total > 0 ? log2(total) - sum / total : 0
    }
}
