import LociBase
import LociModel
import LociTransport
import LociWire

/// A shard's connections to other shards, for gossip alone. Each is opened when there is something
/// to be said over it first. Used by the deciding thread only.
///
/// Invariants:
/// - At most one connection to each of the other shards.
/// - Nothing waits: what cannot be sent now is lost, and the next round makes up for it.
final class GossipSockets {
    private let context: TransportContext
    private let endpoints: [Endpoint]
    private var dealers: [ShardIndex: DealerSocket] = [:]
    /// Messages that could not be sent, or were not messages.
    private(set) var lost: UInt64 = 0
    /// Messages taken from one connection before the others have their turn.
    private static let mostPerTurn = 32

    init(_ context: TransportContext, _ endpoints: [Endpoint]) {
        self.context = context
        self.endpoints = endpoints
    }

    /// - Parameter poller: Wakes for answers from then on.
    func send(_ message: Message, to shard: ShardIndex, _ poller: Poller) {
        do {
            let dealer = try dealers[shard] ?? open(shard, poller)
            if try dealer.send(try message.encoded()) != .sent { lost += 1 }
        } catch {
            lost += 1
        }
    }

    private func open(_ shard: ShardIndex, _ poller: Poller) throws -> DealerSocket {
        let dealer = try DealerSocket(context, connecting: endpoints[Int(shard)])
        dealers[shard] = dealer
        poller.add(dealer)
        return dealer
    }

    /// What has come, in turns.
    func receive() throws(TransportError) -> [(shard: ShardIndex, message: Message)] {
        var messages: [(shard: ShardIndex, message: Message)] = []
        for (shard, dealer) in dealers {
            for _ in 0..<Self.mostPerTurn {
                guard let frames = try dealer.receive() else { break }
                do throws(WireError) {
                    messages.append((shard, try Message(frames: frames)))
                } catch {
                    lost += 1
                }
            }
        }
        return messages
    }
}
