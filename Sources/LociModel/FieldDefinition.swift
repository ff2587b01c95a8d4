public import LociBase

/// A field's name, shape and place. Immutable once created.
///
/// Invariants:
/// - The last axis of `shape` is the cell; the product of the others is `cellCount`.
/// - A cell never straddles a page: `cellBytes <= pageBytes`.
/// - `cellCount * cellBytes` is at most 1 PiB.
public struct FieldDefinition: Hashable, Sendable {
    public let space: SpaceID
    public let name: String
    public let elementType: ElementType
    public let shape: [UInt64]
    public let pageBytes: Int
    public let cellBytes: Int
    public let cellCount: UInt64

    /// Checks everything that a client may have got wrong.
    /// - Parameter pageBytes: 0 chooses: 16 KiB, or more where a cell needs it.
    /// - Throws: INVALID_ARGUMENT with a sentence.
    public init(
        space: SpaceID, name: String, elementType: ElementType, shape: [UInt64],
        pageBytes requestedPageBytes: Int = 0
    ) throws(LociError) {
        try checkName(name)
        guard (2...Limits.axes).contains(shape.count) else {
            throw LociError(
                .invalidArgument, "A field has 2 to \(Limits.axes) axes, not \(shape.count).",
                advice: "Write --shape CELLSxELEMENTS, such as 1000000x264.")
        }
        guard shape.allSatisfy({ $0 > 0 }) else {
            throw LociError(.invalidArgument, "Every axis of a field must be at least 1.")
        }
        let (bits, tooWide) = shape.last!.multipliedReportingOverflow(
            by: elementType.bitsPerElement)
        guard !tooWide, bits <= UInt64(Layout.largestPageBytes) * 8 else {
            throw LociError(
                .invalidArgument,
                "A cell of \(shape.last!) \(elementType.name) elements is larger than a page "
                    + "of 2 MiB.",
                advice: "Split the last axis: its length is the size of one cell.")
        }
        let cellBytes = Int((bits + 7) / 8)
        var cellCount: UInt64 = 1
        for axis in shape.dropLast() {
            let (product, overflow) = cellCount.multipliedReportingOverflow(by: axis)
            cellCount = overflow ? .max : product
        }
        let (size, overflow) = cellCount.multipliedReportingOverflow(by: UInt64(cellBytes))
        guard !overflow, size <= Limits.fieldBytes else {
            throw LociError(
                .invalidArgument, "The shape holds more than 1 PiB.",
                advice: "Use several fields.")
        }
        let pageBytes = try Self.pageBytes(requested: requestedPageBytes, cellBytes: cellBytes)
        self.space = space
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.pageBytes = pageBytes
        self.cellBytes = cellBytes
        self.cellCount = cellCount
    }

    /// Names this field among all that ever were in any cluster: a hash of the cluster, of the
    /// field's space, which is never used twice, and of its manifest (name, element type, shape,
    /// page size). A reader that sends another one gets FAILED_PRECONDITION, never other cells.
    /// Not 0.
    public func identity(in cluster: UInt64) -> UInt64 {
        var writer = ByteWriter()
        writer.write(cluster)
        writer.write(space)
        writer.write(name)
        writer.write(elementType.code)
        writer.write(array: shape)
        writer.write(UInt32(pageBytes))
        return max(1, writer.finished.checksum())
    }

    /// - Throws: FAILED_PRECONDITION unless `identity` is 0 or this field's.
    public func check(identity: UInt64, in cluster: UInt64) throws(LociError) {
        guard identity != 0, identity != self.identity(in: cluster) else { return }
        throw LociError(
            .failedPrecondition,
            "The field '\(name)' is not the one that is meant: its identity is another.",
            advice: "It was created anew, or is another cluster's. `loci field info \(name)` shows "
                + "its identity; use that if this field is the right one.")
    }

    /// Pages of the whole field.
    public var pageCount: UInt64 {
        let cellsPerPage = UInt64(pageBytes / cellBytes)
        return (cellCount - 1) / cellsPerPage + 1
    }

    private static func pageBytes(requested: Int, cellBytes: Int) throws(LociError) -> Int {
        if requested == 0 {
            var size = Layout.defaultPageBytes
            while size < cellBytes { size *= 2 }
            return size
        }
        let range = Layout.smallestPageBytes...Layout.largestPageBytes
        guard range.contains(requested), requested.nonzeroBitCount == 1 else {
            throw LociError(
                .invalidArgument, "A page of \(requested) bytes is not possible.",
                advice: "Choose a power of two from 4096 to 2097152.")
        }
        guard requested >= cellBytes else {
            throw LociError(
                .invalidArgument,
                "A cell of \(cellBytes) bytes does not fit a page of \(requested) bytes.",
                advice: "Choose a larger page.")
        }
        return requested
    }
}

/// A name is 1 to 128 bytes of letters, digits, `-`, `_` and `.`, and starts with none of the last.
public func checkName(_ name: String) throws(LociError) {
    let allowed = name.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x5F || byte == 0x2E
    }
    guard !name.isEmpty, name.utf8.count <= Limits.nameBytes, allowed, !name.hasPrefix(".") else {
        throw LociError(
            .invalidArgument, "'\(name.prefix(64))' is not a name.",
            advice: "Use up to 128 letters, digits, '-', '_' and '.'.")
    }
}
