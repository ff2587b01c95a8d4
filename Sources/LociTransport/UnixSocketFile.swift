import Glibc

/// What lies at the path of a Unix socket before we bind there. ZeroMQ deletes whatever it finds,
/// so this is where a living server and foreign files are protected.
enum UnixSocketFile {
    /// - Throws: `addressInUse` if a server answers there, `badEndpoint` if another kind of file
    ///   lies there. A socket that a killed process left behind is no obstacle.
    static func checkFree(_ path: String, _ endpoint: Endpoint) throws(TransportError) {
        var information = stat()
        guard unsafe lstat(path, &information) == 0 else { return }
        guard information.st_mode & S_IFMT == S_IFSOCK else {
            throw TransportError(.badEndpoint, "\(endpoint) (a file that is not a socket)")
        }
        if isAnswering(path) { throw TransportError(.addressInUse, endpoint.text) }
    }

    private static func isAnswering(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            unsafe target.copyBytes(from: path.utf8.prefix(target.count - 1))
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe connect(descriptor, generic, size) == 0
            }
        }
    }
}
