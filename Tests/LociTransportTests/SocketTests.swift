import Glibc
import LociBase
import LociModel
import LociTransport
import Testing

@Suite(.serialized) final class SocketTests {
    let context: TransportContext
    let prefix: String

    init() throws {
        context = try TransportContext()
        prefix = "/tmp/loci-socket-\(getpid())"
    }

    deinit {
        for name in ["echo", "nobody", "full"] { unlink("\(prefix)-\(name)") }
    }

    private func router(_ text: String = "tcp://127.0.0.1:*") throws -> RouterSocket {
        try RouterSocket(context, binding: Endpoint(text))
    }

    private func dealer(_ router: RouterSocket) throws -> DealerSocket {
        let dealer = try DealerSocket(context, connecting: router.endpoint)
        #expect(dealer.canSend(timeoutMilliseconds: 5000))
        return dealer
    }

    private func receive(
        _ router: RouterSocket, milliseconds: Int = 5000
    ) throws -> (peer: PeerID, frames: [Bytes])? {
        let poller = Poller()
        poller.add(router)
        repeat {
            if let message = try router.receive() { return message }
        } while try !poller.wait(timeoutMilliseconds: milliseconds).isEmpty
        return nil
    }

    /// The router's answer takes the way back; `content` goes there and comes back unchanged.
    private func echo(_ content: [Bytes], _ router: RouterSocket, _ dealer: DealerSocket) throws {
        #expect(try dealer.send(content) == .sent)
        let request = try #require(try receive(router))
        #expect(request.frames == content)
        #expect(try router.send(request.frames, to: request.peer) == .sent)
        #expect(try dealer.receive(timeoutMilliseconds: 5000) == content)
    }

    @Test(arguments: [false, true])
    func framesOfEverySizeArriveUnchanged(overUnixSocket: Bool) throws {
        let router = try router(overUnixSocket ? "ipc://\(prefix)-echo" : "tcp://127.0.0.1:*")
        let dealer = try dealer(router)
        var random = SeededRandom(seed: 1)
        let block = Bytes((0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        let large = Bytes.joined([Bytes](repeating: block, count: Limits.frameBytes / 4096))
        for size in [0, 1, 29, 33, 34, 1023, 1024, 1025, 8192, 100_000, Limits.frameBytes] {
            try echo([Bytes(), large.slice(0..<size), block.slice(5..<9)], router, dealer)
        }
        try echo([Bytes](repeating: block, count: Limits.frames), router, dealer)
    }

    @Test func manyPeersEachGetTheirOwnAnswersInOrder() throws {
        let router = try router()
        let dealers = try (0..<40).map { _ in try dealer(router) }
        for round in 0..<25 {
            for (index, dealer) in dealers.enumerated() {
                let question = Bytes(values: [UInt32(index), UInt32(round)])
                #expect(try dealer.send([question, Bytes(zeros: index * 100)]) == .sent)
            }
        }
        var peers: Set<PeerID> = []
        for _ in 0..<1000 {
            let request = try #require(try receive(router))
            peers.insert(request.peer)
            #expect(try router.send(request.frames, to: request.peer) == .sent)
        }
        #expect(peers.count == 40)
        for (index, dealer) in dealers.enumerated() {
            for round in 0..<25 {
                let answer = try #require(try dealer.receive(timeoutMilliseconds: 5000))
                #expect(answer[0].values(UInt32.self) == [UInt32(index), UInt32(round)])
                #expect(answer[1].count == index * 100)
            }
            #expect(try dealer.receive() == nil)
        }
    }

    @Test func aFrameOverTheLimitIsRefusedBeforeItIsSent() throws {
        let router = try router()
        let dealer = try dealer(router)
        let large = Bytes(zeros: Limits.frameBytes + 1)
        #expect {
            _ = try dealer.send([Bytes(), large])
        } throws: { error in
            (error as? TransportError)?.code == .tooLarge
        }
        try echo([Bytes(utf8: "next")], router, dealer)
        #expect(try router.receive() == nil)
    }

    @Test func tooManyFramesAreDroppedAndCounted() throws {
        let router = try router()
        let dealer = try dealer(router)
        let frames = [Bytes](repeating: Bytes(zeros: 2000), count: Limits.frames + 1)
        #expect(try dealer.send(frames) == .sent)
        #expect(try dealer.send(frames) == .sent)
        try echo([Bytes(utf8: "next")], router, dealer)
        #expect(router.droppedMessages == 2)
    }

    @Test func aPeerThatIsGoneIsUnreachable() throws {
        let router = try router()
        let stranger = PeerID(value: 0x1234_5678)
        #expect(try router.send([Bytes()], to: stranger) == .unreachable)

        var peer: PeerID?
        try { () throws in
            let dealer = try dealer(router)
            #expect(try dealer.send([Bytes()]) == .sent)
            peer = try receive(router)?.peer
        }()
        let gone = try #require(peer)
        var outcome = SendOutcome.sent
        for _ in 0..<200 where outcome != .unreachable {
            outcome = try router.send([Bytes(zeros: 5000), Bytes()], to: gone)
            usleep(10_000)
        }
        #expect(outcome == .unreachable)
        try echo([Bytes(utf8: "another")], router, try dealer(router))
    }

    @Test func withoutAServerNothingIsSent() throws {
        let endpoint = try Endpoint("ipc://\(prefix)-nobody")
        let dealer = try DealerSocket(context, connecting: endpoint)
        #expect(try dealer.send([Bytes()]) == .wouldBlock)
        #expect(!dealer.canSend(timeoutMilliseconds: 20))
        #expect(try dealer.receive(timeoutMilliseconds: 20) == nil)
        let router = try router(endpoint.text)
        #expect(dealer.canSend(timeoutMilliseconds: 5000))
        try echo([Bytes(utf8: "late")], router, dealer)
    }

    /// A reader that sleeps fills its queue; what was sent before arrives whole, the rest not at
    /// all.
    @Test func aFullQueueBlocksWithoutHalfMessages() throws {
        let router = try router("ipc://\(prefix)-full")
        let dealer = try dealer(router)
        #expect(try dealer.send([Bytes()]) == .sent)
        let peer = try #require(try receive(router)).peer
        let block = Bytes(zeros: 20_000)
        var sent: UInt32 = 0
        for _ in 0..<10_000 {
            guard try router.send([Bytes(values: [sent]), block, block], to: peer) == .sent else {
                break
            }
            sent += 1
        }
        #expect(sent >= 1000)
        #expect(sent < 10_000)
        for expected in 0..<sent {
            let frames = try #require(try dealer.receive(timeoutMilliseconds: 5000))
            #expect(frames.count == 3)
            #expect(frames[0].values(UInt32.self) == [expected])
            #expect(frames[1].count == 20_000)
        }
        #expect(try router.send([Bytes(values: [sent])], to: peer) == .sent)
        let last = try #require(try dealer.receive(timeoutMilliseconds: 5000))
        #expect(last == [Bytes(values: [sent])])
    }

    @Test func foreignBytesDoNoHarm() throws {
        let router = try router()
        let port = try #require(UInt16(router.endpoint.text.split(separator: ":").last ?? ""))
        var random = SeededRandom(seed: 2)
        for round in 0..<60 {
            var junk = (0..<(1 + random.below(3000))).map { _ in UInt8(random.below(256)) }
            if round % 3 == 1 { junk = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8) }
            // The greeting of the real protocol, and nonsense behind it.
            if round % 3 == 2 {
                junk =
                    [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("NULL".utf8)
                    + [UInt8](repeating: 0, count: 48) + junk
            }
            sendRaw(junk, port: port)
            while let message = try router.receive() { #expect(message.frames.count >= 1) }
        }
        try echo([Bytes(utf8: "still here")], router, try dealer(router))
    }

    private func sendRaw(_ bytes: [UInt8], port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, size)
            }
        }
        #expect(connected == 0)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        usleep(1000)
    }
}
