import Glibc
import LociModel
import LociTransport
import Testing

@Suite struct EndpointTests {
    @Test(arguments: [
        ("tcp://127.0.0.1:7400", true), ("tcp://127.9.9.9:1", true), ("tcp://localhost:7400", true),
        ("tcp://[::1]:7400", true), ("ipc:///tmp/x", true), ("tcp://0.0.0.0:7400", false),
        ("tcp://*:7400", false), ("tcp://shard-2.example.org:65535", false),
        ("tcp://[fe80::1]:7400", false), ("tcp://10.0.0.1:*", false),
    ])
    func goodOnesKnowWhetherTheyAreLocal(text: String, isLoopback: Bool) throws {
        let endpoint = try Endpoint(text)
        #expect(endpoint.isLoopback == isLoopback)
        #expect("\(endpoint)" == text)
    }

    @Test(arguments: [
        "", "127.0.0.1:7400", "tcp://", "tcp://:7400", "tcp://host", "tcp://host:", "tcp://host:x",
        "tcp://host:65536", "tcp://host:-1", "tcp://host:+1", "tcp://ho st:1", "udp://host:1",
        "tcp://a;b:1", "ipc://", "ipc://relative", "ipc:///folder/", "inproc://x", "tcp://[::1:1",
        "ipc:///" + String(repeating: "x", count: 107),
    ])
    func badOnesAreRefused(text: String) {
        #expect {
            try Endpoint(text)
        } throws: { error in
            (error as? LociError)?.code == .invalidArgument
        }
    }

    private func failure(binding text: String, _ context: TransportContext) throws
        -> TransportError?
    {
        let endpoint = try Endpoint(text)
        do throws(TransportError) {
            _ = try RouterSocket(context, binding: endpoint)
            return nil
        } catch {
            return error
        }
    }

    @Test func aPortInUseIsSaid() throws {
        let context = try TransportContext()
        let first = try RouterSocket(context, binding: Endpoint("tcp://127.0.0.1:*"))
        let error = try #require(try failure(binding: first.endpoint.text, context))
        #expect(error.code == .addressInUse)
        #expect(error.sentence.code == .failedPrecondition)
        #expect(
            error.sentence.message
                == "Another process listens on \(first.endpoint) already.")
        #expect(!error.sentence.advice.isEmpty)
    }

    @Test func aUnixSocketInUseIsNotStolenAndAnAbandonedOneIsTaken() throws {
        let context = try TransportContext()
        let path = "/tmp/loci-endpoint-\(getpid())"
        defer { unlink(path) }
        let text = "ipc://\(path)"
        try { () throws in
            let first = try RouterSocket(context, binding: Endpoint(text))
            #expect(try failure(binding: text, context)?.code == .addressInUse)
            let dealer = try DealerSocket(context, connecting: first.endpoint)
            #expect(dealer.canSend(timeoutMilliseconds: 5000))
        }()
        // What a killed process leaves behind: a socket that nobody listens on.
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        unlink(path)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        #expect(bound == 0)
        close(descriptor)
        #expect(try failure(binding: text, context) == nil)
    }

    @Test func aFileInTheWayIsNotDeleted() throws {
        let path = "/tmp/loci-precious-\(getpid())"
        let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
        #expect(write(descriptor, "data", 4) == 4)
        close(descriptor)
        defer { unlink(path) }
        let context = try TransportContext()
        #expect(try failure(binding: "ipc://\(path)", context)?.code == .badEndpoint)
        var information = stat()
        #expect(stat(path, &information) == 0)
        #expect(information.st_size == 4)
    }

    @Test(arguments: [
        "tcp://192.0.2.1:7400", "tcp://no-such-interface:7400", "ipc:///no/such/folder/socket",
    ])
    func whatCannotBeListenedOnIsSaid(text: String) throws {
        let error = try #require(try failure(binding: text, TransportContext()))
        #expect(error.code == .badEndpoint)
        #expect(error.sentence.message.contains(text))
    }
}
