import LociBase
public import LociModel

/// Why bytes from the wire are not a message.
public enum WireError: Error, Equatable, Sendable {
    /// Bytes of another protocol, or none. They are dropped and counted.
    case notAnEnvelope
    /// The peer speaks another version of the protocol. Dropped and counted.
    case wrongVersion(UInt32)
    /// Bytes changed on the way. Dropped and counted.
    case checksum
    /// The envelope is broken although its checksum holds. Dropped and counted.
    case malformed(String)
    /// The envelope is sound, its body is not one that this program knows. A server answers the
    /// request with the error; a requester takes it as the answer.
    case invalid(Header, LociError)
}
