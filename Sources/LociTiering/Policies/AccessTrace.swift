/// A stream of keys to judge policies by. Keys are numbered in order of first appearance, so that
/// replaying needs no dictionary.
public struct AccessTrace: Sendable {
    /// The number of the key of each request.
    public let requests: [Int32]
    /// The key of each number.
    public let keys: [UInt64]

    /// At most 2^31 - 1 different keys.
    public init(keys stream: some Sequence<UInt64>) {
        var numbers: [UInt64: Int32] = [:]
        var requests: [Int32] = []
        var keys: [UInt64] = []
        requests.reserveCapacity(stream.underestimatedCount)
        for key in stream {
            if let number = numbers[key] {
                requests.append(number)
            } else {
                let number = Int32(keys.count)
                numbers[key] = number
                keys.append(key)
                requests.append(number)
            }
        }
        self.requests = requests
        self.keys = keys
    }

    /// A share of the different keys in pages, at least 1.
    public func capacity(percent: Double) -> Int {
        max(1, Int(Double(keys.count) * percent / 100))
    }
}
