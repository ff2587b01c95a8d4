import Foundation
import Glibc
import Histogram
import LociClient

/// Connections to several peers that each answer every message in turn: a message goes to all of
/// them and is answered when the last has answered.
final class WireFan {
    let dealers: [DealerSocket]
    private var answers: [Int]
    private var completed = 0
    private static let connectMilliseconds = 5000

    init(_ context: TransportContext, _ endpoints: [Endpoint]) throws {
        dealers = try endpoints.map { try DealerSocket(context, connecting: $0) }
        answers = endpoints.map { _ in 0 }
        for dealer in dealers where !dealer.canSend(timeoutMilliseconds: Self.connectMilliseconds) {
            throw LociError(.unavailable, "A process of the benchmark does not answer.")
        }
    }

    func send(_ message: [Bytes]) throws {
        for dealer in dealers {
            guard try dealer.send(message) == .sent else {
                throw LociError(.unavailable, "A process of the benchmark has gone.")
            }
        }
    }

    /// Takes what one peer has sent. Returns how many messages have been answered by all since.
    func receive(from index: Int) throws -> Int {
        while try dealers[index].receive() != nil { answers[index] += 1 }
        let all = answers.min() ?? 0
        defer { completed = all }
        return all - completed
    }
}

/// Answers every message with frames of a given size.
struct WireWorker {
    private let router: RouterSocket
    private let answer: [Bytes]

    init(_ shape: WireShape) throws {
        router = try RouterSocket(TransportContext(), binding: Endpoint("tcp://127.0.0.1:*"))
        answer = shape.answer
        WireChild.announce(router.endpoint)
    }

    func serve() throws {
        let poller = Poller()
        poller.add(router)
        while !WireChild.isOrphan {
            _ = try poller.wait(timeoutMilliseconds: 1000)
            while let (peer, _) = try router.receive() { _ = try router.send(answer, to: peer) }
        }
    }
}

/// Hands every message on to all workers, and answers it when all have.
final class WireProxy {
    private let router: RouterSocket
    private let fan: WireFan
    private let part: [Bytes]
    private let whole: [Bytes]
    /// Who waits, in the order of their messages; those before `answered` do not any more.
    private var waiting: [PeerID] = []
    private var answered = 0

    init(_ shape: WireShape, workers: [Endpoint]) throws {
        let context = try TransportContext()
        router = try RouterSocket(context, binding: Endpoint("tcp://127.0.0.1:*"))
        fan = try WireFan(context, workers)
        part = shape.part
        whole = shape.whole
        WireChild.announce(router.endpoint)
    }

    func serve() throws {
        let poller = Poller()
        let clients = poller.add(router)
        for dealer in fan.dealers { poller.add(dealer) }
        while !WireChild.isOrphan {
            let ready = try poller.wait(timeoutMilliseconds: 1000)
            for slot in ready where slot > clients { try answer(fan.receive(from: slot - 1)) }
            guard ready.contains(clients) else { continue }
            while let (peer, _) = try router.receive() {
                waiting.append(peer)
                try fan.send(part)
            }
        }
    }

    private func answer(_ count: Int) throws {
        for peer in waiting[answered..<(answered + count)] { _ = try router.send(whole, to: peer) }
        answered += count
        if answered == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            answered = 0
        }
    }
}

/// The closed loop of the one who asks.
struct WireClient {
    let fan: WireFan
    let message: [Bytes]
    let inFlight: Int

    struct Measured {
        var requests = 0
        var seconds = 0.0
        var latencies = BenchWorker.emptyHistogram()
    }

    private static let patienceMilliseconds = 10_000

    func run(seconds: Double) throws -> Measured {
        let poller = Poller()
        for dealer in fan.dealers { poller.add(dealer) }
        var measured = Measured()
        var sent: [ContinuousClock.Instant] = []
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        while true {
            while sent.count - measured.requests < inFlight, ContinuousClock.now < end {
                sent.append(ContinuousClock.now)
                try fan.send(message)
            }
            if sent.count == measured.requests { break }
            let ready = try poller.wait(timeoutMilliseconds: Self.patienceMilliseconds)
            guard !ready.isEmpty else {
                throw LociError(.deadlineExceeded, "A process of the benchmark is silent.")
            }
            for slot in ready {
                let count = try fan.receive(from: slot)
                let now = ContinuousClock.now
                for _ in 0..<count {
                    let latency = now - sent[measured.requests]
                    measured.latencies.record(UInt64(max(0, latency.inSeconds * 1e9)))
                    measured.requests += 1
                }
            }
        }
        measured.seconds = (ContinuousClock.now - start).inSeconds
        return measured
    }
}

/// This program, started again for another role. It says where it listens, and ends when its parent
/// has, or with `end`.
struct WireChild {
    let endpoint: Endpoint
    private let process: Process

    init(_ arguments: [String]) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = Array(CommandLine.arguments.dropFirst()) + arguments
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            throw LociError(
                .resourceExhausted, "A process of the benchmark cannot be started.",
                advice: "Use fewer --workers.")
        }
        self.process = process
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        do {
            endpoint = try Endpoint(line.trimmingCharacters(in: .whitespacesAndNewlines))
        } catch {
            process.terminate()
            throw error
        }
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }

    static func announce(_ endpoint: Endpoint) {
        print(endpoint)
        fflush(nil)
    }

    private static let parent = getppid()
    static var isOrphan: Bool { getppid() != parent }

    /// What these processes have used so far, in user and kernel together.
    static func processorSeconds(_ children: [WireChild]) throws -> Double {
        try children.reduce(0) { sum, child in
            let path = "/proc/\(child.process.processIdentifier)/stat"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
            else { throw LociError(.internal, "\(path) is not understood.") }
            return sum + (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }
}
