import Glibc
import LociBase
import LociTransport
import Synchronization
import Testing

/// Memory that tells when it is given back.
private final class WatchedStorage: ByteStorage, @unchecked Sendable {
    let isFreed: Flag
    private let memory: UnsafeMutableRawPointer

    final class Flag: Sendable {
        private let value = Atomic(false)
        var isUp: Bool { value.load(ordering: .sequentiallyConsistent) }
        func raise() { value.store(true, ordering: .sequentiallyConsistent) }
    }

    init(count: Int, _ flag: Flag) {
        memory = .allocate(byteCount: count, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 7, count: count)
        isFreed = flag
        super.init(base: memory, count: count)
    }

    deinit {
        isFreed.raise()
        memory.deallocate()
    }
}

@Suite struct MemoryTests {
    @Test func sentMemoryIsKeptUntilItIsSentAndThenGivenBack() throws {
        let flag = WatchedStorage.Flag()
        let context = try TransportContext()
        let router = try RouterSocket(context, binding: Endpoint("tcp://127.0.0.1:*"))
        let dealer = try DealerSocket(context, connecting: router.endpoint)
        #expect(dealer.canSend(timeoutMilliseconds: 5000))
        try { () throws in
            let bytes = Bytes(owner: WatchedStorage(count: 1 << 20, flag))
            #expect(try dealer.send([bytes.slice(100..<1_000_000)]) == .sent)
        }()
        let poller = Poller()
        poller.add(router)
        _ = try poller.wait(timeoutMilliseconds: 5000)
        let received = try #require(try router.receive()).frames
        #expect(received == [Bytes([UInt8](repeating: 7, count: 999_900))])
        for _ in 0..<500 where !flag.isUp {
            usleep(10_000)
        }
        #expect(flag.isUp)
    }

    @Test func unsentMemoryIsGivenBackAtOnce() throws {
        let flag = WatchedStorage.Flag()
        let context = try TransportContext()
        let dealer = try DealerSocket(context, connecting: Endpoint("tcp://127.0.0.1:1"))
        try { () throws in
            let bytes = Bytes(owner: WatchedStorage(count: 5000, flag))
            #expect(try dealer.send([bytes, bytes]) == .wouldBlock)
        }()
        #expect(flag.isUp)
    }

    @Test func receivedFramesOutliveTheSocketAndTheContext() throws {
        let received = try {
            let context = try TransportContext()
            let router = try RouterSocket(context, binding: Endpoint("tcp://127.0.0.1:*"))
            let dealer = try DealerSocket(context, connecting: router.endpoint)
            #expect(dealer.canSend(timeoutMilliseconds: 5000))
            #expect(try dealer.send([1, 2000, 50_000].map { Bytes(zeros: $0) }) == .sent)
            let poller = Poller()
            poller.add(router)
            _ = try poller.wait(timeoutMilliseconds: 5000)
            return try #require(try router.receive()).frames
        }()
        #expect(received == [1, 2000, 50_000].map { Bytes(zeros: $0) })
    }
}
