import CZeroMQ
import LociBase

/// A received frame that stays where ZeroMQ put it.
@safe final class ReceivedFrame: ByteStorage, @unchecked Sendable {
    private let message: UnsafeMutablePointer<zmq_msg_t>

    /// Takes the content of `source`, which is empty afterwards.
    init(moving source: UnsafeMutablePointer<zmq_msg_t>) {
        unsafe message = .allocate(capacity: 1)
        unsafe zmq_msg_init(message)
        unsafe zmq_msg_move(message, source)
        unsafe super.init(base: zmq_msg_data(message), count: zmq_msg_size(message))
    }

    deinit {
        unsafe zmq_msg_close(message)
        unsafe message.deallocate()
    }
}

extension Bytes {
    /// The content of `message`: small ones are copied, so that they do not hold on to the buffer
    /// of the connection.
    init(receiving message: UnsafeMutablePointer<zmq_msg_t>) {
        let count = unsafe zmq_msg_size(message)
        guard count <= TransportPolicy.copiedFrameBytes else {
            self.init(owner: unsafe ReceivedFrame(moving: message))
            return
        }
        unsafe self.init(uninitialized: count) { target in
            unsafe target.copyMemory(
                from: UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count))
        }
    }

    /// Makes `message` share this memory, which lives until ZeroMQ has sent it.
    /// - Returns: 0, or -1 with ZeroMQ's error number set.
    func lend(to message: UnsafeMutablePointer<zmq_msg_t>) -> Int32 {
        let loan = unsafe Unmanaged.passRetained(Loan(bytes: self))
        let result = unsafe withUnsafeBytes { source in
            unsafe zmq_msg_init_data(
                message, UnsafeMutableRawPointer(mutating: source.baseAddress), source.count,
                giveBack, loan.toOpaque())
        }
        if result != 0 { unsafe loan.release() }
        return result
    }
}

/// Keeps lent bytes alive, and unchanged: who else owns them copies before writing.
private final class Loan: Sendable {
    let bytes: Bytes
    init(bytes: Bytes) { self.bytes = bytes }
}

/// Called by ZeroMQ, on a thread of its own.
private func giveBack(_ data: UnsafeMutableRawPointer?, _ loan: UnsafeMutableRawPointer?) {
    guard let loan = unsafe loan else { return }
    unsafe Unmanaged<Loan>.fromOpaque(loan).release()
}
