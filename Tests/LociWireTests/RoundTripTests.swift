import LociBase
import LociModel
import Testing

@testable import LociWire

@Suite struct RoundTripTests {
    @Test(arguments: 0..<RandomMessages.kinds)
    func everyKindArrivesAsItWasSentAndIsValid(kind: Int) throws {
        for seed in 0..<40 {
            var messages = RandomMessages(seed: UInt64(seed * 100 + kind))
            let message = messages.message(kind: kind)
            let frames = try message.encoded()
            #expect(frames.count == 1 + message.bulk.count)
            let decoded = try Message(frames: frames)
            #expect(decoded == message, "seed \(seed)")
            try decoded.validated()
        }
    }

    @Test func theGeneratorMakesEveryKind() {
        var messages = RandomMessages(seed: 1)
        let names = (0..<RandomMessages.kinds).map { kind in
            String(describing: messages.message(kind: kind).body).prefix { $0 != "(" }
        }
        #expect(Set(names).count == RandomMessages.kinds)
    }

    @Test func bulkFramesAreNotCopied() throws {
        let blob = Bytes(zeros: 1 << 20)
        let message = Message(Header(), .install(Install(version: 1)), bulk: [blob])
        let sent = try message.encoded()[1]
        let received = try Message(frames: message.encoded()).bulk[0]
        let addresses = [blob, sent, received].map { bytes in
            bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        }
        #expect(Set(addresses).count == 1)
    }

    @Test func theStatusOfTheLargestClusterFits() throws {
        var messages = RandomMessages(seed: 2)
        let answer = messages.statusAnswer(
            shards: Limits.partitions, collections: Limits.definitions)
        let message = Message(Header(), .statusAnswer(answer))
        #expect(try Message(frames: message.encoded()) == message)
    }

    @Test func whatIsTooLargeIsRefusedBeforeItIsSent() {
        let large = Bytes(zeros: Limits.frameBytes + 1)
        let frames = [Bytes](repeating: Bytes(), count: Limits.frames)
        let text = String(repeating: "x", count: Envelope.bodyBytes)
        for message in [
            Message(Header(), .install(Install(version: 1)), bulk: [large]),
            Message(Header(), .ping, bulk: frames),
            Message(Header(), .query(Query(collection: "c", k: 1, text: text))),
        ] {
            #expect {
                try message.encoded()
            } throws: { error in
                (error as? LociError)?.code == .resourceExhausted
            }
        }
    }
}
