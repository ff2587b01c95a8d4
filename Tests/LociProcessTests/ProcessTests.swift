import LociClient
import Testing

/// What a cluster of real processes promises. One after the other: each test takes all cores.
@Suite("A cluster of processes", .serialized)
struct ProcessTests {
    /// Repeats a call that may meet a cluster that is not whole yet.
    static func patiently<Value>(
        _ time: Duration = .seconds(30), _ body: () async throws -> Value
    ) async throws -> Value {
        let end = ContinuousClock.now + time
        while true {
            do {
                return try await body()
            } catch let error as LociError where error.code.mayRetry && ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
