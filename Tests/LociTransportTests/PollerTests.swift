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
}
