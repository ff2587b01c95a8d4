/// Every bound in one place. What happens at each is said beside it.
public enum Limits {
    /// Largest frame on the wire. A peer that sends a larger one is disconnected by ZeroMQ; our own
    /// senders refuse first, with RESOURCE_EXHAUSTED.
    public static let frameBytes = 4 << 20
    /// Bulk bytes that a client puts into one request or asks for in one answer; the client library
    /// splits what is larger.
    public static let chunkBytes = 1 << 20
    /// Frames of one message. More are rejected before they are decoded.
    public static let frames = 16
    /// Memory that decoding one envelope may take. Beyond it the message is rejected.
    public static let decodeArenaBytes = 3 << 20
    /// Cells named in one request. More get INVALID_ARGUMENT; the client library splits.
    public static let cellsPerRequest = 1 << 16
    /// Points in one upsert, retrieve or delete. More get INVALID_ARGUMENT.
    public static let pointsPerRequest = 4096
    /// Neighbours that one query may ask for.
    public static let neighbours = 1024
    /// Bytes of a filter, as it was written and in its canonical form. A longer one gets
    /// INVALID_ARGUMENT.
    public static let filterBytes = 32 << 10
    /// Steps of a completion, or of reading a memory. More get INVALID_ARGUMENT.
    public static let steps: UInt32 = 100
    /// Settings that are stored for a collection. More get INVALID_ARGUMENT.
    public static let recallSettings = 32
    /// Bytes of one point's payload.
    public static let payloadBytes = 64 << 10
    /// Elements of a vector.
    public static let dimension = 16384
    /// Bytes of a field's or collection's name.
    public static let nameBytes = 128
    /// Axes of a field.
    public static let axes = 8
    /// Virtual bytes of a field: 1 PiB.
    public static let fieldBytes: UInt64 = 1 << 50
    /// Fields, collections and memories in a cluster. More get RESOURCE_EXHAUSTED.
    public static let definitions = 1024
    /// Requests that a coordinator or a shard works on at once. More are refused with
    /// RESOURCE_EXHAUSTED.
    public static let requestsInFlight = 4096
    /// Bytes of mutations that wait: for the log of one partition, encoded as its records, and in a
    /// coordinator for the point of a snapshot. More are refused with RESOURCE_EXHAUSTED; one alone
    /// may be larger.
    public static let waitingMutationBytes = 64 << 20
    /// Partitions of a cluster.
    public static let partitions = 1024
    /// Longest deadline a request may carry; a longer one is cut to it.
    public static let deadlineMicroseconds: UInt64 = 600_000_000
    /// Deadline of a request that names none.
    public static let defaultDeadlineMicroseconds: UInt64 = 10_000_000
}
