import Foundation
import LociBase
import LociText
import Testing

/// Neighbours in the code vote on the class of news (AG News); a part of it, so that it runs in
/// seconds. The whole of it (12,000 against 7,600) gets 87.5 %.
@Suite struct NewsTests {
    private struct Article {
        var kind: Int
        var text: String
    }

    private func articles(_ name: String, limit: Int) throws -> [Article]? {
        let folder = ProcessInfo.processInfo.environment["LOCI_DATA"] ?? "../shared/data"
        let path = "\(folder)/ag_news/\(name).csv.gz"
        guard FileManager.default.fileExists(atPath: path) else {
            print("skipped: there is no \(path); set LOCI_DATA to the folder of test data")
            return nil
        }
        let unpack = Process()
        unpack.executableURL = URL(fileURLWithPath: "/bin/sh")
        unpack.arguments = ["-c", "gzip -dc \"$0\" | head -n \(limit)", path]
        let pipe = Pipe()
        unpack.standardOutput = pipe
        try unpack.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        unpack.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map {
            line in
            Article(kind: Int(String(line.dropFirst().first!))!, text: String(line.dropFirst(5)))
        }
    }

    @Test func neighboursTellTheClassOfNews() throws {
        guard let stored = try articles("train-12k", limit: 800),
            let asked = try articles("test", limit: 150)
        else { return }
        #expect(stored.count == 800 && asked.count == 150)
        var encoder = LexicalEncoder()
        var codes: [[Float]] = []
        for start in stride(from: 0, to: stored.count, by: 256) {
            let batch = stored[start..<min(start + 256, stored.count)]
            for article in batch { encoder.learn(article.text) }
            codes += batch.map { encoder.encode($0.text, isQuery: false) }
        }
        let right = asked.count { article in
            vote(encoder.encode(article.text, isQuery: true), codes, stored) == article.kind
        }
        print("news: \(right) of \(asked.count) right")
        #expect(Double(right) / Double(asked.count) >= 0.66)
    }

    private func vote(_ query: [Float], _ codes: [[Float]], _ stored: [Article]) -> Int {
        let elements = query.indices.filter { query[$0] != 0 }
        let scores = codes.map { code in elements.reduce(0) { $0 + query[$1] * code[$1] } }
        let nearest = scores.indices.sorted { scores[$0] > scores[$1] }.prefix(10)
        var votes = [Float](repeating: 0, count: 5)
        for index in nearest { votes[stored[index].kind] += 1 + scores[index] * 1e-3 }
        return votes.indices.max { votes[$0] < votes[$1] }!
    }
}
