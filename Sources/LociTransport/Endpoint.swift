public import LociModel

/// Where a server listens: `tcp://host:port`, or `ipc:///path` for a Unix socket.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public let text: String
    /// Only processes of this machine can connect: a Unix socket, or a loopback address.
    public let isLoopback: Bool
    /// The path of a Unix socket; nil for tcp.
    let path: String?

    /// Longest path of a Unix socket on Linux.
    private static let pathBytes = 107

    /// - Throws: INVALID_ARGUMENT with a sentence.
    public init(_ text: String) throws(LociError) {
        self.text = text
        if text.hasPrefix("ipc://") {
            let path = String(text.dropFirst(6))
            guard path.hasPrefix("/"), path.utf8.count <= Self.pathBytes, !path.hasSuffix("/")
            else {
                throw LociError(
                    .invalidArgument, "'\(text)' does not name a Unix socket.",
                    advice: "Write ipc:// and an absolute path of at most \(Self.pathBytes) bytes.")
            }
            self.path = path
            isLoopback = true
            return
        }
        guard text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":") else {
            throw Self.malformed(text)
        }
        let start = text.index(text.startIndex, offsetBy: 6)
        guard colon > start else { throw Self.malformed(text) }
        let host = text[start..<colon]
        let port = text[text.index(after: colon)...]
        let isNumber = UInt16(port) != nil && port.allSatisfy(\.isNumber)
        guard isNumber || port == "*", Self.isHost(host) else { throw Self.malformed(text) }
        path = nil
        isLoopback = host == "localhost" || host == "[::1]" || host.hasPrefix("127.")
    }

    public var description: String { text }

    var isIPv6: Bool { text.hasPrefix("tcp://[") }

    private static func isHost(_ host: Substring) -> Bool {
        if host == "*" { return true }
        if host.hasPrefix("["), host.hasSuffix("]") {
            return host.dropFirst().dropLast().allSatisfy {
                $0.isHexDigit || $0 == ":" || $0 == "."
            }
        }
        return host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x2E || byte == 0x5F
        }
    }

    private static func malformed(_ text: String) -> LociError {
        LociError(
            .invalidArgument, "'\(text)' is not an endpoint.",
            advice: "Write tcp://HOST:PORT or ipc:///PATH, such as tcp://127.0.0.1:7400.")
    }
}
