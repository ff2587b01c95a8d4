import CWire
import LociBase
import LociModel

// What several messages hold, as protobuf-c lays it out.

extension Receipt {
    /// One that the sender left out is all zero.
    init(_ pointer: UnsafeMutablePointer<Loci__Receipt>?) {
        self.init()
        guard let layout = unsafe pointer?.pointee else { return }
        shardsAsked = unsafe layout.shards_asked
        shardsAnswered = unsafe layout.shards_answered
        partitions = unsafe layout.partitions
        pagesTouched = unsafe layout.pages_touched
        pagesResident = unsafe layout.pages_resident
        bytesRead = unsafe layout.bytes_read
        vectorsScored = unsafe layout.vectors_scored
        locationsActive = unsafe layout.locations_active
        totalMicroseconds = unsafe layout.total_microseconds
        coordinatorMicroseconds = unsafe layout.coordinator_microseconds
        shardMicroseconds = unsafe layout.shard_microseconds
        scoringMicroseconds = unsafe layout.scoring_microseconds
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__Receipt> {
        unsafe arena.place(
            Loci__Receipt(
                base: ProtobufCMessage(), shards_asked: shardsAsked,
                shards_answered: shardsAnswered, partitions: partitions,
                pages_touched: pagesTouched, pages_resident: pagesResident, bytes_read: bytesRead,
                vectors_scored: vectorsScored, locations_active: locationsActive,
                total_microseconds: totalMicroseconds,
                coordinator_microseconds: coordinatorMicroseconds,
                shard_microseconds: shardMicroseconds, scoring_microseconds: scoringMicroseconds),
            loci__receipt__init)
    }
}

extension ShardVitals {
    /// One that the sender left out is all zero.
    init(_ pointer: UnsafeMutablePointer<Loci__ShardVitals>?) {
        self.init()
        guard let layout = unsafe pointer?.pointee else { return }
        partitions = unsafe layout.partitions
        points = unsafe layout.points
        residentBytes = unsafe layout.resident_bytes
        budgetBytes = unsafe layout.budget_bytes
        pagesRequested = unsafe layout.pages_requested
        pagesHit = unsafe layout.pages_hit
        logBytes = unsafe layout.log_bytes
        requestsInFlight = unsafe layout.requests_in_flight
        rejectedMessages = unsafe layout.rejected_messages
    }

    func layout(in arena: Arena) -> UnsafeMutablePointer<Loci__ShardVitals> {
        unsafe arena.place(
            Loci__ShardVitals(
                base: ProtobufCMessage(), partitions: partitions, points: points,
                resident_bytes: residentBytes, budget_bytes: budgetBytes,
                pages_requested: pagesRequested, pages_hit: pagesHit, log_bytes: logBytes,
                requests_in_flight: requestsInFlight, rejected_messages: rejectedMessages),
            loci__shard_vitals__init)
    }
}

extension String {
    /// - Throws: INVALID_ARGUMENT if the bytes are not UTF-8.
    init(decoded data: ProtobufCBinaryData) throws(LociError) {
        let bytes = unsafe UnsafeBufferPointer(start: data.data, count: data.len)
        guard let text = unsafe String(validating: bytes, as: UTF8.self) else {
            throw LociError(
                .invalidArgument, "A name or text is not UTF-8.", advice: "Convert it to UTF-8.")
        }
        self = text
    }
}

extension ElementType {
    init(decoded code: UInt32) throws(LociError) {
        guard let type = ElementType(code: code) else {
            throw LociError(
                .invalidArgument, "\(code) is not the number of an element type.",
                advice: "Choose one of \(ElementType.names.joined(separator: ", ")).")
        }
        self = type
    }
}

extension Metric {
    init(decoded code: UInt32) throws(LociError) {
        guard let metric = Metric(rawValue: code) else {
            throw LociError(
                .invalidArgument, "\(code) is not the number of a metric.",
                advice: "Choose \(Metric.allCases.map(\.name).joined(separator: ", ")).")
        }
        self = metric
    }
}

/// The messages of a repeated field.
func elements<Layout, Element>(
    _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Layout>?>?, _ count: Int,
    _ element: (Layout) throws(LociError) -> Element
) throws(LociError) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(count)
    for index in 0..<count {
        guard let layout = unsafe pointers?[index]?.pointee else { continue }
        result.append(try element(layout))
    }
    return result
}
