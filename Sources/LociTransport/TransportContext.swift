import CZeroMQ
import Glibc

/// ZeroMQ's I/O thread and all that sockets share; one per process. Closed when the last socket is.
@safe public final class TransportContext: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer

    /// Also raises the process's own limit of file descriptors, of which every peer takes one.
    public init() throws(TransportError) {
        guard let pointer = unsafe zmq_ctx_new() else { throw .last("the ZeroMQ context") }
        unsafe self.pointer = pointer
        Self.raiseDescriptorLimit()
        guard unsafe zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, TransportPolicy.sockets) == 0 else {
            throw .last("the ZeroMQ context")
        }
    }

    deinit { unsafe zmq_ctx_term(pointer) }

    /// A limit that cannot be raised shows when sockets run out, with an error.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return
        }
        let wanted = min(rlim_t(TransportPolicy.fileDescriptors), limit.rlim_max)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
