import Foundation
import LociImport
import LociModel
import Testing

@Suite struct TextSourceTests {
    private let scratch = Scratch()

    private func object(_ json: String) throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8))
        return try #require(value as? [String: Any])
    }

    @Test func aFolderGivesPassagesInTheOrderOfItsPaths() throws {
        scratch.write("b.md", "second\n")
        scratch.write("a/x.txt", "first \"quoted\" \\ \u{1} ü\n\n")
        scratch.write("c/d/e.swift", "let third = 3\n")
        scratch.write("empty.txt", "")
        let all = try readAll(scratch.path)
        #expect(all.texts == ["first \"quoted\" \\ \u{1} ü", "second", "let third = 3"])
        let payload = try object(all.payloads[0])
        #expect(payload["text"] as? String == all.texts[0])
        #expect(payload["path"] as? String == scratch.path + "/a/x.txt")
        #expect(payload["line"] as? Int == 1)
        #expect(Set(all.ids).count == 3)
        #expect(try Import.describe(path: scratch.path).isText)
    }

    @Test func whatIsNoTextIsLeftOutAndCounted() throws {
        scratch.write("good.txt", "good")
        scratch.write("binary.txt", [65, 0, 66])
        scratch.write(".hidden/secret.txt", "secret")
        scratch.write(".hidden.txt", "secret")
        scratch.write("large.txt", [UInt8](repeating: 65, count: 17 << 20))
        let outside = Scratch()
        outside.write("outside.txt", "outside")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.path + "/link", withDestinationPath: outside.path)
        var source = try Import.open(path: scratch.path)
        #expect(try source.next(100)?.texts == ["good"])
        #expect(try source.next(100) == nil)
        #expect(source.notices.count == 3)
        #expect(source.notices.contains { $0.contains("1 file: larger than 16 MiB") })
    }

    @Test func importingAgainGivesTheSameIdsFromWherever() throws {
        let file = scratch.write("notes/a.md", "# One\n\nSome words.\n")
        let ids = try readAll(scratch.path).ids
        #expect(try readAll(scratch.path + "/notes/../notes/").ids == ids)
        #expect(try readAll(file).ids == ids)
        scratch.write("notes/a.md", "# One\n\nOther words.\n")
        #expect(try readAll(scratch.path).ids == ids)
    }

    @Test func aFolderImportGoesOnWhereItStopped() throws {
        for index in 0..<9 {
            let paragraphs = (0..<3).map {
                "# Part \($0)\n" + String(repeating: "word ", count: 60)
            }
            scratch.write("\(index).md", paragraphs.joined(separator: "\n\n"))
        }
        let all = try readAll(scratch.path)
        #expect(all.count == 27)
        for skipped in [1, 5, 26, 27, 40] {
            let rest = try readAll(scratch.path, skipping: UInt64(skipped))
            #expect(rest.ids == Array(all.ids.dropFirst(skipped)))
        }
    }

    @Test func wrongPathsGetASentenceAndAdvice() {
        let missing = failure(scratch.path + "/none.npy")
        #expect(missing?.code == .notFound)
        let foreign = failure(scratch.write("a.docx", "x"))
        #expect(foreign?.code == .invalidArgument && foreign?.advice.contains(".npy") == true)
        let binary = failure(scratch.write("a.txt", [0, 1]))
        #expect(binary?.code == .invalidArgument)
        #expect(throws: LociError.self) {
            _ = try Import.readFloats(path: scratch.write("b.txt", "words"))
        }
    }
}
