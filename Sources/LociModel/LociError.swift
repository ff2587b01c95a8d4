/// The canonical codes of answers, with their numbers on the wire.
public enum ErrorCode: UInt32, Sendable, CaseIterable, Codable {
    case invalidArgument = 1
    case notFound = 2
    case alreadyExists = 3
    case failedPrecondition = 4
    case resourceExhausted = 5
    case unavailable = 6
    case deadlineExceeded = 7
    case dataLoss = 8
    case unauthenticated = 9
    case `internal` = 10

    /// The code's name as users of such systems know it: `INVALID_ARGUMENT`.
    public var name: String {
        switch self {
        case .invalidArgument: "INVALID_ARGUMENT"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .unavailable: "UNAVAILABLE"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        case .internal: "INTERNAL"
        }
    }

    /// Whether the same request may succeed later without a change.
    public var mayRetry: Bool {
        switch self {
        case .resourceExhausted, .unavailable, .deadlineExceeded: true
        default: false
        }
    }
}

/// What went wrong in one sentence, and what to do about it in another.
public struct LociError: Error, Equatable, Sendable, CustomStringConvertible {
    public let code: ErrorCode
    public let message: String
    public let advice: String

    public init(_ code: ErrorCode, _ message: String, advice: String = "") {
        self.code = code
        self.message = message
        self.advice = advice
    }

    public var description: String {
        advice.isEmpty ? "\(code.name): \(message)" : "\(code.name): \(message) \(advice)"
    }
}
