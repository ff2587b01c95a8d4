import CZeroMQ
import Glibc
public import LociModel

/// Why a socket could not be opened or used.
public struct TransportError: Error, Equatable, Sendable {
    public enum Code: Equatable, Sendable {
        /// Another process listens there.
        case addressInUse
        /// The system does not allow it.
        case permission
        /// The endpoint does not name a place where one can listen or connect.
        case badEndpoint
        /// A frame is over the limit; nothing was sent.
        case tooLarge
        /// The socket or its context is closed.
        case closed
        /// An error number of the system or of ZeroMQ.
        case other(Int32)
    }

    public let code: Code
    /// The endpoint, or what else the error is about.
    public let subject: String

    public init(_ code: Code, _ subject: String) {
        self.code = code
        self.subject = subject
    }

    /// From the error number of the last call to ZeroMQ.
    static func last(_ subject: String) -> TransportError {
        TransportError(number: zmq_errno(), subject)
    }

    init(number: Int32, _ subject: String) {
        let code: Code =
            switch number {
            case EADDRINUSE: .addressInUse
            case EACCES, EPERM, EROFS: .permission
            case EADDRNOTAVAIL, ENODEV, EINVAL, ENOENT, ENOTDIR, ENAMETOOLONG, EPROTONOSUPPORT:
                .badEndpoint
            case zmqTerminated, ENOTSOCK: .closed
            default: .other(number)
            }
        self.init(code, subject)
    }

    /// What to tell the user.
    public var sentence: LociError {
        switch code {
        case .addressInUse:
            LociError(
                .failedPrecondition, "Another process listens on \(subject) already.",
                advice: "Stop it, or choose another address; `ss -lxtp` shows which it is.")
        case .permission:
            LociError(
                .failedPrecondition, "Listening on \(subject) is not permitted.",
                advice: "Choose a port from 1024 up, or a folder that you may write to.")
        case .badEndpoint:
            LociError(
                .invalidArgument, "\(subject) is no address of this machine.",
                advice: "Write tcp://HOST:PORT with an address of this machine, or ipc:///PATH in "
                    + "a folder that exists.")
        case .tooLarge:
            LociError(
                .resourceExhausted, "A message is too large to be sent: \(subject).",
                advice: "Send fewer cells or points at once.")
        case .closed:
            LociError(.unavailable, "The connection of \(subject) is closed.")
        case .other(let number):
            LociError(
                .unavailable, "\(subject): \(unsafe String(cString: zmq_strerror(number))).")
        }
    }
}

/// ETERM of zmq.h: the context was terminated.
private let zmqTerminated: Int32 = 156_384_712 + 53
