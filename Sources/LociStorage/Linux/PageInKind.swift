/// How page-ins read segments from the machine's files. The raw value is its name in
/// configurations.
public enum PageInKind: String, CaseIterable, Sendable {
    /// A copy out of a shared mapping. The kernel keeps what was read in its page cache.
    case mapped = "mapping"
    /// pread through the kernel's page cache.
    case buffered = "pread"
    /// pread past the page cache (O_DIRECT): the device writes into the page's memory, and no
    /// second copy stays in the kernel.
    case direct
    /// As `direct`, with a batch's reads on their way to the device at once (io_uring).
    case ring = "io-uring"
}
