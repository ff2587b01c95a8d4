import ArgumentParser
import LociClient
import LociKernels
import LociModel
import LociSearch

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures the integer kernels and the scan of codes; needs no cluster.",
        discussion: """
            Products of a square matrix with a vector on one core: wNxM are bipolar integers of \
            N bits with M bits, int8 and fp32 the plain ones. GMAC/s counts products of single \
            bits. Then scans of a page of codes: sign, when the first plane rules every row out, \
            and all, when every row is compared by all bits.
            Kernels take turns, and medians are shown: ratios hold within one run, times only on \
            a machine at rest.
            """)

    @Option(help: "Rows and columns of the matrix: 64 to 8192.")
    var size = 4096
    @Option(help: "How often each kernel is measured: 1 to 1000.")
    var rounds = 15
    @Option(help: "Where the random numbers start.")
    var seed: UInt64 = 1
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        guard (64...8192).contains(size) else {
            throw ValidationError("--size must be 64 to 8192, not \(size).")
        }
        guard (1...1000).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 1000, not \(rounds).")
        }
    }

    func run() throws {
        var random = SeededRandom(seed: seed)
        let plain = PlainProducts(size: size, &random)
        let bipolar = [(1, 1), (2, 2), (1, 8), (2, 4), (4, 4), (4, 8)].map {
            BipolarProduct(size: size, rowBits: $0.0, vectorBits: $0.1, &random)
        }
        let scans = [128, 768, 784].flatMap { dimension in
            [1, 4].map { CodePage(dimension: dimension, bits: $0, &random) }
        }
        var products = [ProductFigure(kernel: "fp32"), ProductFigure(kernel: "int8")]
        products += bipolar.map { ProductFigure(kernel: $0.name, bitProducts: $0.bitProducts) }
        var figures = scans.map { ScanFigure($0) }
        var state = Outputs()
        for _ in 0..<rounds {
            products[0].times.append(seconds { plain.floats(&state) })
            products[1].times.append(seconds { plain.bytes(&state) })
            for (index, product) in bipolar.enumerated() {
                products[2 + index].times.append(seconds { product.multiply(&state) })
            }
            for (index, scan) in scans.enumerated() {
                figures[index].sign.append(seconds { scan.scan(threshold: -.infinity, &state) })
                figures[index].all.append(seconds { scan.scan(threshold: .infinity, &state) })
            }
        }
        try KernelReport(
            size: size, seed: seed, level: "\(InstructionLevel.best)", products: products,
            scans: figures, hash: state.hash
        ).print(asJSON: json)
    }

    /// Of one run out of several in a row, after one that is not measured: what the processor's
    /// caches can hold is there.
    private func seconds(_ body: () -> Void) -> Double {
        body()
        let time = ContinuousClock().measure {
            for _ in 0..<Self.runsPerRound { body() }
        }
        let seconds =
            Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
        return seconds / Double(Self.runsPerRound)
    }

    private static let runsPerRound = 8
}

/// What the kernels write, kept from round to round, and a sum of it, so that no work is left out.
private struct Outputs {
    var floats: [Float] = []
    var words: [Int32] = []
    var longs: [Int64] = []
    var found: [CodeCandidate] = []
    var hash: UInt64 = 0
}

private struct PlainProducts {
    let size: Int
    let matrix: [Float]
    let vector: [Float]
    let byteMatrix: [Int8]
    let byteVector: [Int8]

    init(size: Int, _ random: inout SeededRandom) {
        func bytes(_ count: Int) -> [Int8] {
            (0..<count).map { _ in Int8(truncatingIfNeeded: random.next()) }
        }
        self.size = size
        byteMatrix = bytes(size * size)
        byteVector = bytes(size)
        matrix = byteMatrix.map { Float($0) }
        vector = byteVector.map { Float($0) }
    }

    func floats(_ outputs: inout Outputs) {
        outputs.floats.removeAll(keepingCapacity: true)
        Kernels.score(.dot, query: vector, rows: matrix, into: &outputs.floats)
        outputs.hash &+= UInt64(outputs.floats[size - 1].bitPattern)
    }

    func bytes(_ outputs: inout Outputs) {
        Kernels.dot(
            query: byteVector, rows: byteMatrix, stride: size, count: size, into: &outputs.words)
        outputs.hash &+= UInt64(truncatingIfNeeded: outputs.words[size - 1])
    }
}

private struct BipolarProduct {
    let matrix: BipolarMatrix
    let vector: BipolarMatrix

    init(size: Int, rowBits: Int, vectorBits: Int, _ random: inout SeededRandom) {
        func values(_ count: Int, bits: Int) -> [Int16] {
            (0..<count).map { _ in
                2 * Int16(random.next() >> UInt64(64 - bits)) - (Int16(1) << bits - 1)
            }
        }
        matrix = BipolarMatrix(
            values(size * size, bits: rowBits), rows: size, length: size, bits: rowBits)
        vector = BipolarMatrix(
            values(size, bits: vectorBits), rows: 1, length: size, bits: vectorBits)
    }

    var name: String { "w\(matrix.bits)x\(vector.bits)" }
    var bitProducts: Int { matrix.rows * matrix.length * matrix.bits * vector.bits }

    func multiply(_ outputs: inout Outputs) {
        matrix.multiply(vector, into: &outputs.longs)
        outputs.hash &+= UInt64(truncatingIfNeeded: outputs.longs[matrix.rows - 1])
    }
}

/// A page of 16 KiB of codes.
private struct CodePage {
    let format: CodeFormat
    let rows: Bytes
    let count: Int
    let query: CodeQuery
    /// Scans that are measured together.
    static let repetitions = 20

    init(dimension: Int, bits: Int, _ random: inout SeededRandom) {
        let format = CodeFormat(dimension: dimension, bits: bits, metric: .l2)
        let rotation = CodeRotation(dimension: dimension, seed: random.next())
        func vector() -> [Float] {
            rotation.rotate((0..<dimension).map { _ in Float(random.unit() - 0.5) })
        }
        let centroid = vector()
        var rows: [UInt8] = []
        count = 16384 / format.rowBytes
        for row in 0..<count {
            format.append(
                vector: vector(), centroid: centroid, cell: UInt32(row), tag: 0, to: &rows)
        }
        self.format = format
        self.rows = Bytes(rows)
        query = CodeQuery(rotated: vector(), format: format)
    }

    func scan(threshold: Float, _ outputs: inout Outputs) {
        var scanner = CodeScanner(query: query, epsilon: 1.9)
        for _ in 0..<Self.repetitions {
            outputs.found.removeAll(keepingCapacity: true)
            scanner.scan(
                rows, at: 0, count: count, origin: CodeOrigin(squaredDistance: 1),
                threshold: threshold, into: &outputs.found)
            outputs.hash &+= UInt64(outputs.found.last?.estimate.bitPattern ?? 0)
        }
    }
}

private func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }

private struct ProductFigure {
    let kernel: String
    var bitProducts: Int?
    var times: [Double] = []
}

private struct ScanFigure {
    let format: CodeFormat
    let rows: Int
    var sign: [Double] = []
    var all: [Double] = []

    init(_ page: CodePage) {
        format = page.format
        rows = page.count
    }

    func nanoseconds(_ times: [Double]) -> Double {
        median(times) * 1e9 / Double(rows * CodePage.repetitions)
    }
}

private struct KernelReport: Encodable {
    struct Product: Encodable {
        let kernel: String
        let microseconds: Double
        let gigaBitProductsPerSecond: Double?
        let timesFp32: Double
    }
    struct Scan: Encodable {
        let dimension: Int
        let bits: Int
        let rowBytes: Int
        let signNanosecondsPerRow: Double
        let allNanosecondsPerRow: Double
    }
    let size: Int
    let seed: UInt64
    let instructions: String
    let resultHash: String
    let products: [Product]
    let scans: [Scan]

    init(
        size: Int, seed: UInt64, level: String, products: [ProductFigure], scans: [ScanFigure],
        hash: UInt64
    ) {
        self.size = size
        self.seed = seed
        instructions = level
        resultHash = Show.identity(hash)
        let reference = median(products[0].times)
        self.products = products.map { figure in
            let time = median(figure.times)
            return Product(
                kernel: figure.kernel, microseconds: time * 1e6,
                gigaBitProductsPerSecond: figure.bitProducts.map { Double($0) / time * 1e-9 },
                timesFp32: reference / time)
        }
        self.scans = scans.map { figure in
            Scan(
                dimension: figure.format.dimension, bits: figure.format.bits,
                rowBytes: figure.format.rowBytes,
                signNanosecondsPerRow: figure.nanoseconds(figure.sign),
                allNanosecondsPerRow: figure.nanoseconds(figure.all))
        }
    }

    func print(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        Swift.print("\(size) x \(size), seed \(seed), \(instructions), result \(resultHash)")
        var table = Table("kernel", "#us", "#GMAC/s", "#x fp32")
        for product in products {
            table.add(
                product.kernel, Show.decimal(product.microseconds, places: 1),
                product.gigaBitProductsPerSecond.map { Show.decimal($0, places: 0) } ?? "",
                Show.decimal(product.timesFp32, places: 1))
        }
        table.print()
        Swift.print("")
        var codes = Table("#dimension", "#bits", "#bytes a row", "#sign, ns", "#all, ns")
        for scan in scans {
            codes.add(
                "\(scan.dimension)", "\(scan.bits)", "\(scan.rowBytes)",
                Show.decimal(scan.signNanosecondsPerRow, places: 1),
                Show.decimal(scan.allNanosecondsPerRow, places: 1))
        }
        codes.print()
    }
}
