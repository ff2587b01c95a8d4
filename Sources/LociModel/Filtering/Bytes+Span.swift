import LociBase

extension Bytes {
    /// Lets `body` look at the bytes with checked bounds and without a copy.
    func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        unsafe withUnsafeBytes { (memory: UnsafeRawBufferPointer) -> Result in
            let bytes = unsafe memory.assumingMemoryBound(to: UInt8.self)
            return unsafe body(bytes.span)
        }
    }
}
