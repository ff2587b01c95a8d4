import Foundation
import LociClient
import Synchronization

/// A coordinator for the client's tests: a thread with a socket that answers as it is told.
final class StandInCoordinator: Sendable {
    /// Decides what to answer, and when: messages that it returns are sent in that order.
    typealias Script = @Sendable (Message) -> [Message]

    let endpoint: Endpoint
    private let isStopped = Mutex(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    /// - Parameter garbage: Frames that are sent before every answer.
    init(
        at endpoint: Endpoint = StandInCoordinator.freeEndpoint(), garbage: [Bytes] = [],
        script: @escaping Script
    ) {
        self.endpoint = endpoint
        let hasStarted = DispatchSemaphore(value: 0)
        Thread { [self] in
            do {
                let context = try TransportContext()
                let router = try RouterSocket(context, binding: endpoint)
                hasStarted.signal()
                while !isStopped.withLock({ $0 }) {
                    guard let (peer, frames) = try router.receive() else {
                        Thread.sleep(forTimeInterval: 0.0002)
                        continue
                    }
                    for answer in script(try Message(frames: frames)) {
                        if !garbage.isEmpty { _ = try router.send(garbage, to: peer) }
                        _ = try router.send(try answer.encoded(), to: peer)
                    }
                }
            } catch {
                print("The coordinator of the test failed: \(error)")
                hasStarted.signal()
            }
            hasEnded.signal()
        }.start()
        hasStarted.wait()
    }

    func stop() {
        isStopped.withLock { $0 = true }
        hasEnded.wait()
    }

    static func freeEndpoint() -> Endpoint {
        let name = "loci-\(UUID().uuidString.prefix(13))"
        guard let endpoint = try? Endpoint("ipc:///tmp/\(name)") else {
            preconditionFailure("ipc endpoints are refused")
        }
        return endpoint
    }
}

/// An answer to a request.
func answer(_ request: Message, _ body: Body, bulk: [Bytes] = []) -> Message {
    Message(Header(requestID: request.header.requestID), body, bulk: bulk)
}

/// A field in memory, of 64 KiB cells so that calls are cut into many requests.
final class StandInField: Sendable {
    static let cellBytes = 64 << 10
    let catalog: Catalog
    let cells = Mutex<[UInt64: Bytes]>([:])
    let requests = Mutex<[Message]>([])

    init() throws {
        var catalog = Catalog()
        _ = try catalog.createField(
            name: "rows", elementType: .raw, shape: [1000, UInt64(Self.cellBytes)], pageBytes: 0)
        self.catalog = catalog
    }

    /// Of each cell: its number, repeated.
    static func content(of cell: UInt64) -> Bytes {
        Bytes(values: Array(repeating: cell, count: cellBytes / 8))
    }

    func script(_ request: Message) -> [Message] {
        requests.withLock { $0.append(request) }
        var receipt = Receipt()
        receipt.shardsAsked = 2
        receipt.shardsAnswered = 2
        switch request.body {
        case .describe:
            return [
                answer(
                    request, .catalog(CatalogAnswer(version: catalog.version)),
                    bulk: [catalog.encoded])
            ]
        case .readCells(let read):
            let numbers = Self.numbers(read.isScattered, read.first, read.count, request.bulk)
            receipt.pagesTouched = UInt64(numbers.count)
            let bytes = cells.withLock { cells in
                numbers.map { cells[$0] ?? Bytes(zeros: Self.cellBytes) }
            }
            let body = CellsAnswer(
                cellBytes: UInt32(Self.cellBytes), count: UInt64(numbers.count), receipt: receipt)
            return [answer(request, .cells(body), bulk: [Bytes.joined(bytes)])]
        case .writeCells(let write):
            let numbers = Self.numbers(write.isScattered, write.first, write.count, request.bulk)
            let bytes = request.bulk[request.bulk.count - 1]
            cells.withLock { cells in
                for (index, cell) in numbers.enumerated() {
                    let place = (index * Self.cellBytes)..<((index + 1) * Self.cellBytes)
                    cells[cell] = bytes.slice(place).compact()
                }
            }
            receipt.pagesTouched = UInt64(numbers.count)
            let body = Acknowledged(count: UInt64(numbers.count), receipt: receipt)
            return [answer(request, .acknowledged(body))]
        default:
            return [answer(request, .failure(LociError(.internal, "Not part of this test.")))]
        }
    }

    private static func numbers(
        _ isScattered: Bool, _ first: UInt64, _ count: UInt64, _ bulk: [Bytes]
    ) -> [UInt64] {
        isScattered ? bulk[0].values(UInt64.self) : (0..<count).map { first + $0 }
    }
}
