import ArgumentParser
import LociClient
import LociImport

struct CompleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "complete",
        abstract: "Restores the patterns that noisy or partial vectors belong to.",
        discussion: """
            loci complete digits --vector @noisy.npy --steps 5 -o restored.npy
            Each step replaces the vector by the mean of the points that its address reaches,
            weighted by how alike they are to it, until nothing moves. Familiarity says how well the
            vector that was given is known: 1 for a stored one, less with noise.
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Option(
        parsing: .unconditional,
        help: "The vector: 1,2,3, or @FILE (.npy .fvecs .fbin .u8bin ...), one per row.")
    var vector: String
    @Option(help: "Steps at most: 1 to \(Limits.steps).")
    var steps = 5
    @Option(
        help: ArgumentHelp(
            "How sharply the most similar points outweigh the others; 0: chosen from the data."))
    var beta: Float = 0
    @OptionGroup var width: WidthOptions
    @Option(
        name: .customShort("o"),
        help: "Where the restored patterns go: an .npy file, '-' is standard output.",
        completion: .file(extensions: ["npy"]))
    var output: String?
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...Int(Limits.steps)).contains(steps) else {
            throw ValidationError("--steps must be 1 to \(Limits.steps), not \(steps).")
        }
        guard beta >= 0, beta.isFinite else {
            throw ValidationError("--beta must not be negative.")
        }
    }

    func run() async throws {
        let client = try common.client()
        let file = try output.map { (path) throws(LociError) in try OutputFile(path) }
        let restored: [Completion]
        do {
            restored = try await restore(client)
        } catch {
            file?.discard()
            throw error
        }
        try file?.write(ArrayFile.bytes(restored.map(\.vector)))
        try file?.finish()
        if output != "-" { try print(restored) }
        if let partial = restored.first(where: \.isDegraded) {
            try Terminal.leavePartial(partial.receipt)
        }
    }

    private func print(_ restored: [Completion]) throws {
        if common.json {
            let reports = restored.map { CompletionReport($0, withVector: output == nil) }
            if reports.count == 1 {
                try Terminal.printJSON(reports[0])
            } else {
                try Terminal.printJSON(reports)
            }
        } else {
            show(restored)
        }
    }

    private func restore(_ client: LociClient) async throws -> [Completion] {
        var restored: [Completion] = []
        for row in try VectorArgument.rows(vector) {
            restored.append(
                try await client.complete(
                    collection, vector: row, steps: steps, beta: beta, probes: width.probes,
                    radius: width.radius, recall: width.recall))
        }
        return restored
    }

    private func show(_ restored: [Completion]) {
        var table = Table("#vector", "#familiarity", "#steps", "fixed point", "#beta", "pattern")
        for (index, completion) in restored.enumerated() {
            table.add(
                "\(index)", Show.decimal(Double(completion.familiarity), places: 4),
                "\(completion.steps)", completion.hasConverged ? "yes" : "not yet",
                Show.significant(Double(completion.beta)),
                output ?? Self.beginning(of: completion.vector))
        }
        table.print()
        if explanation.explain, !restored.isEmpty {
            var sum = restored[0].receipt
            for completion in restored.dropFirst() { sum.add(request: completion.receipt) }
            sum.printTable()
        }
    }

    private static func beginning(of vector: [Float]) -> String {
        let numbers = vector.prefix(6).map { Show.decimal(Double($0), places: 3) }
        return numbers.joined(separator: ",") + (vector.count > 6 ? ",..." : "")
    }
}

/// A completion as JSON.
private struct CompletionReport: Encodable {
    let vector: [Float]?
    let familiarity: Float
    let steps: Int
    let fixedPoint: Bool
    let beta: Float
    let degraded: Bool
    let receipt: ReceiptReport

    init(_ completion: Completion, withVector: Bool) {
        vector = withVector ? completion.vector : nil
        familiarity = completion.familiarity
        steps = completion.steps
        fixedPoint = completion.hasConverged
        beta = completion.beta
        degraded = completion.isDegraded
        receipt = ReceiptReport(completion.receipt)
    }
}
