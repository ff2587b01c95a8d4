import LociBase
import LociModel

/// How large calls are cut into requests, and how those are run.
enum Chunks {
    /// Requests of one call that are with the coordinator at once.
    static let inFlight = 8

    /// Equal parts of `count` items of `itemBytes` each, within the limits of one request.
    static func ranges(count: Int, itemBytes: Int, itemLimit: Int) -> [Range<Int>] {
        let fitting = max(1, Limits.chunkBytes / max(itemBytes, 1))
        let size = min(fitting, itemLimit)
        return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }

    /// Parts of items that differ in size; one that is larger than a request goes alone.
    static func ranges(sizes: [Int], itemLimit: Int) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for (index, size) in sizes.enumerated() {
            let isFull = bytes + size > Limits.chunkBytes || index - start == itemLimit
            if isFull && index > start {
                result.append(start..<index)
                start = index
                bytes = 0
            }
            bytes += size
        }
        if start < sizes.count { result.append(start..<sizes.count) }
        return result
    }

    /// Runs a request for every part, several at once, and returns the results in the parts' order.
    /// After a failure no further request starts; the failure of the earliest part is thrown once
    /// those under way have ended.
    static func run<Result: Sendable>(
        _ parts: [Range<Int>],
        _ request: @escaping @Sendable (Range<Int>) async throws(LociError) -> Result
    ) async throws(LociError) -> [Result] {
        if parts.count == 1 { return [try await request(parts[0])] }
        let outcomes = await withTaskGroup(of: (Int, Swift.Result<Result, LociError>).self) {
            group in
            var outcomes: [Swift.Result<Result, LociError>?] = Array(
                repeating: nil, count: parts.count)
            var next = 0
            var hasFailed = false
            while true {
                while next < parts.count, next < inFlight, !hasFailed {
                    group.addTask { [next] in (next, await outcome(parts[next], request)) }
                    next += 1
                }
                guard let (index, outcome) = await group.next() else { return outcomes }
                outcomes[index] = outcome
                if case .failure = outcome { hasFailed = true }
                if next < parts.count, !hasFailed {
                    group.addTask { [next] in (next, await Self.outcome(parts[next], request)) }
                    next += 1
                }
            }
        }
        for case .failure(let error)? in outcomes { throw error }
        return try outcomes.map { (outcome) throws(LociError) in try outcome!.get() }
    }

    private static func outcome<Result: Sendable>(
        _ part: Range<Int>,
        _ request: @Sendable (Range<Int>) async throws(LociError) -> Result
    ) async -> Swift.Result<Result, LociError> {
        do {
            return .success(try await request(part))
        } catch {
            return .failure(error)
        }
    }
}
