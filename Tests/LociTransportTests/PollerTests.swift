import Foundation
import LociBase
import LociTransport
import Testing

@Suite struct PollerTests {
    @Test func anotherThreadWakesTheSleeper() throws {
        let wakeUp = try WakeUp()
        let poller = Poller()
        let slot = poller.add(wakeUp)
        #expect(try poller.wait(timeoutMilliseconds: 0) == [])
        Thread.detachNewThread {
            usleep(20_000)
            wakeUp.signal()
            wakeUp.signal()
        }
        #expect(try poller.wait(timeoutMilliseconds: 10_000) == [slot])
        usleep(20_000)
        #expect(try poller.wait(timeoutMilliseconds: 0) == [slot])
        wakeUp.drain()
        #expect(try poller.wait(timeoutMilliseconds: 0) == [])
        wakeUp.drain()
    }

    @Test func onlyTheSlotsWithMessagesAreReady() throws {
        let context = try TransportContext()
        let poller = Poller()
        poller.add(try WakeUp())
        let routers = try (0..<3).map { _ in
            try RouterSocket(context, binding: Endpoint("tcp://127.0.0.1:*"))
        }
        let slots = routers.map { poller.add($0) }
        let dealer = try DealerSocket(context, connecting: routers[1].endpoint)
        let answers = poller.add(dealer)
        #expect(dealer.canSend(timeoutMilliseconds: 5000))
        #expect(try dealer.send([Bytes()]) == .sent)
        #expect(try poller.wait(timeoutMilliseconds: 5000) == [slots[1]])
        #expect(try poller.wait(timeoutMilliseconds: -1) == [slots[1]])
        let peer = try #require(try routers[1].receive()).peer
        #expect(try routers[1].send([Bytes()], to: peer) == .sent)
        #expect(try poller.wait(timeoutMilliseconds: 5000) == [answers])
    }

    @Test func theTimeoutIsKept() throws {
        let poller = Poller()
        poller.add(try WakeUp())
        let start = ContinuousClock.now
        #expect(try poller.wait(timeoutMilliseconds: 50) == [])
        let spent = ContinuousClock.now - start
        #expect(spent >= .milliseconds(45))
        #expect(spent < .seconds(5))
    }

    /// A send may take in the news that a message has come; the sleeper must see it all the same.
    @Test func noMessageIsSleptOverWhateverElseIsDoneWithTheSocket() throws {
        let context = try TransportContext()
        let router = try RouterSocket(context, binding: Endpoint("tcp://127.0.0.1:*"))
        let dealers = try (0..<3).map { _ in
            try DealerSocket(context, connecting: router.endpoint)
        }
        var peers: [PeerID] = []
        let poller = Poller()
        let slot = poller.add(router)
        for dealer in dealers {
            #expect(dealer.canSend(timeoutMilliseconds: 5000))
            #expect(try dealer.send([Bytes([0])]) == .sent)
            #expect(try poller.wait(timeoutMilliseconds: 5000) == [slot])
            peers.append(try #require(try router.receive()).peer)
        }
        var random = SeededRandom(seed: 4)
        var sent = 0
        var received = 0
        for round in 0..<400 {
            #expect(try dealers[random.below(3)].send([Bytes([1])]) == .sent)
            sent += 1
            // Long enough for ZeroMQ to look for news within a send.
            usleep(UInt32(random.below(3000)))
            if random.chance(0.7) { _ = try router.send([Bytes([2])], to: peers[random.below(3)]) }
            if random.chance(0.3) { _ = try router.receive().map { _ in received += 1 } }
            if sent > received {
                #expect(try poller.wait(timeoutMilliseconds: 5000) == [slot], "round \(round)")
            }
            if random.chance(0.5) { while try router.receive() != nil { received += 1 } }
            for dealer in dealers { while try dealer.receive() != nil {} }
        }
        while received < sent {
            #expect(try poller.wait(timeoutMilliseconds: 5000) == [slot])
            while try router.receive() != nil { received += 1 }
        }
        #expect(received == sent)
        #expect(try poller.wait(timeoutMilliseconds: 0) == [])
    }
}
