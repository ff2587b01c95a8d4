import Foundation
import LociBase
import LociImport
import LociModel
import Testing

@Suite struct VectorFileTests {
    private let scratch = Scratch()

    @Test func everyFormatGivesTheSamePointsPackedOrNot() throws {
        for (name, bytes) in Fixture.files {
            let file = scratch.write(name, bytes)
            for path in [file, scratch.packed(file)] {
                let all = try readAll(path)
                #expect(all.ids == Array(0..<UInt64(Fixture.rows)), "\(path)")
                #expect(all.vectors == Fixture.vectors, "\(path)")
                let description = try Import.describe(path: path)
                #expect(description.dimension == Fixture.dimension && !description.isText)
                #expect(description.rows == (name == "a.jsonl" ? nil : UInt64(Fixture.rows)))
                let floats = try Import.readFloats(path: path)
                #expect(floats.rows == Fixture.rows && floats.values == Fixture.vectors)
            }
        }
    }

    @Test func anImportGoesOnWhereItStopped() throws {
        for (name, bytes) in Fixture.files {
            let file = scratch.write(name, bytes)
            for path in [file, scratch.packed(file)] {
                for skipped in 0...(Fixture.rows + 2) {
                    let rest = try readAll(path, skipping: UInt64(skipped))
                    let start = min(skipped, Fixture.rows)
                    #expect(rest.ids == Array(UInt64(start)..<UInt64(Fixture.rows)))
                    #expect(Array(Fixture.vectors[(start * Fixture.dimension)...]) == rest.vectors)
                }
            }
        }
    }

    @Test func aFileThatEndsEarlyOrLateIsRefusedBeforeTheFirstRow() throws {
        for (name, bytes) in Fixture.files where !name.hasSuffix("jsonl") {
            for count in 0..<bytes.count {
                let isWholeRows =
                    name.hasSuffix("vecs") && count > 0
                    && count % (bytes.count / Fixture.rows) == 0
                if isWholeRows { continue }
                let path = scratch.write(name, Array(bytes[..<count]))
                #expect(throws: LociError.self, "\(name) cut to \(count)") {
                    _ = try Import.open(path: path)
                }
            }
            let longer = scratch.packed(scratch.write(name, bytes + [0]))
            #expect(throws: LociError.self) { _ = try Import.open(path: longer) }
        }
    }

    @Test func aDamagedOrCutGzipStreamIsDataLoss() throws {
        let whole = scratch.packed(scratch.write("a.fbin", Fixture.counted("f4")))
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: whole)))
        for count in 0..<bytes.count {
            let path = scratch.write("cut.fbin.gz", Array(bytes[..<count]))
            #expect(failure(path)?.code == .dataLoss, "cut to \(count)")
        }
        let plain = scratch.write("plain.fbin.gz", Fixture.counted("f4"))
        #expect(failure(plain)?.message.contains("not a gzip file") == true)
    }

    @Test func aRowOfAnotherDimensionIsNamed() {
        var bytes = Fixture.repeating("f4")
        bytes[4 * 24] = 6
        let error = failure(scratch.write("a.fvecs", bytes))
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("Row 4") == true)
    }

    @Test func aValueThatIsNotFiniteIsNamedByItsRow() {
        for bad in [Float.nan, .infinity, -.infinity] {
            var bytes = Fixture.counted("f4")
            bytes.replaceSubrange((8 + 27 * 4)..<(8 + 28 * 4), with: Fixture.little(bad.bitPattern))
            let error = failure(scratch.write("a.fbin", bytes))
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("Row 5 ") == true)
        }
    }

    @Test func arraysThatAreNotRowsOfVectorsAreRefusedWithAdvice() {
        let cases = [
            ("<f8", Fixture.array("<f8"), "astype"), (">f4", Fixture.array(">f4"), "astype"),
            ("columns", Fixture.array("<f4", isColumnMajor: true), "ascontiguousarray"),
            ("three axes", Fixture.array("<f4", shape: "(7, 5, 1)"), "reshape"),
            ("no axis", Fixture.array("<f4", shape: "()"), "reshape"),
            ("zero", Fixture.array("<f4", shape: "(7, 0)"), "dimension"),
            ("huge", Fixture.array("<f4", shape: "(9999999999999999999, 5)"), "write it again"),
            ("wide", Fixture.array("<f4", shape: "(1, 18446744073709551615)"), "dimension"),
        ]
        for (name, bytes, advice) in cases {
            let error = failure(scratch.write("a.npy", bytes))
            #expect(error?.advice.contains(advice) == true, "\(name): \(String(describing: error))")
        }
    }

    @Test func anArrayWithOneAxisIsOneVector() throws {
        let path = scratch.write("a.npy", Fixture.array("<f4", shape: "(35,)"))
        let floats = try Import.readFloats(path: path)
        #expect(floats.rows == 1 && floats.dimension == 35 && floats.values == Fixture.vectors)
    }

    @Test func truthIsReadRowByRow() throws {
        let truth: [[Int32]] = [[3, 1, 2], [-1, 0, 7]]
        let bytes = truth.flatMap { row in
            Fixture.little(3) + row.flatMap { Fixture.little(UInt32(bitPattern: $0)) }
        }
        #expect(try Import.readTruth(path: scratch.write("t.ivecs", bytes)) == truth)
        #expect(failure(scratch.write("t.ivecs", bytes))?.code == .invalidArgument)
    }

    @Test func digitsAreReadAsTheyAre() throws {
        let folder = ProcessInfo.processInfo.environment["LOCI_DATA"] ?? "../shared/data"
        let path = "\(folder)/mnist/queries.u8bin.gz"
        guard FileManager.default.fileExists(atPath: path) else {
            print("skipped: there is no \(path); set LOCI_DATA to the folder of test data")
            return
        }
        let description = try Import.describe(path: path)
        #expect(description.rows == 2000 && description.dimension == 784)
        let truth = try Import.readTruth(path: "\(folder)/mnist/truth-l2.ivecs")
        #expect(truth.count == 2000)
    }

    @Test func mutatedFilesNeverCrash() {
        var random = SeededRandom(seed: 11)
        var refused = 0
        for (name, whole) in Fixture.files {
            for _ in 0..<400 {
                var bytes = whole
                for _ in 0...random.below(3) {
                    // Headers are where damage tells most.
                    let reach = random.chance(0.5) ? min(bytes.count, 128) : bytes.count
                    bytes[random.below(reach)] = UInt8(random.below(256))
                }
                if random.chance(0.2) { bytes.removeLast(random.below(bytes.count)) }
                if failure(scratch.write(name, bytes)) != nil { refused += 1 }
            }
        }
        #expect(refused > 400)
        let packed = scratch.packed(scratch.write("a.npy", Fixture.array("<f4")))
        let stream = [UInt8](try! Data(contentsOf: URL(fileURLWithPath: packed)))
        for _ in 0..<600 {
            var bytes = stream
            bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            _ = failure(scratch.write("b.npy.gz", bytes))
        }
    }
}
