/// How two vectors are compared. The raw value is the number on the wire.
public enum Metric: UInt32, Sendable, CaseIterable {
    /// Euclidean distance; smaller is nearer. Scores are true distances, not squares.
    case l2 = 1
    /// Cosine of the angle; larger is nearer. Vectors are normalised when they are stored.
    case cosine = 2
    /// Inner product; larger is nearer.
    case dot = 3

    public init?(name: String) {
        guard let metric = Metric.allCases.first(where: { $0.name == name }) else { return nil }
        self = metric
    }

    public var name: String {
        switch self {
        case .l2: "l2"
        case .cosine: "cosine"
        case .dot: "dot"
        }
    }
}
