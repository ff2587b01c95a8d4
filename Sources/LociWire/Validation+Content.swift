import LociBase
import LociModel

// Completions, reports and binary memories.

extension Complete {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(collection)
        try checkSteps(steps)
        try RecallSetting.check(recall: recall)
        try RecallSetting.check(radius: radius)
        guard beta >= 0 else {
            throw LociError(
                .invalidArgument, "A beta of \(beta) is not possible.",
                advice: "Choose one above 0, or leave the choice to Loci.")
        }
        _ = try frames.vector(of: 1)
    }
}

extension ShardComplete {
    func validate(_ frames: BulkFrames) throws(LociError) {
        guard beta >= 0 else {
            throw LociError(.invalidArgument, "A beta of \(beta) is not possible.")
        }
        try frames.vectorAndLocations()
    }
}

extension StoreTuning {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(collection)
        try frames.expect(0)
        try checkTuning(tuning)
        for setting in tuning { try setting.check() }
        guard zip(tuning, tuning.dropFirst()).allSatisfy({ $0.recall < $1.recall }) else {
            throw LociError(.invalidArgument, "The recalls of the settings do not ascend.")
        }
    }
}

extension CollectionReport {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try frames.expect(0)
        try checkTuning(tuning)
        guard postingLengths.count <= UInt64.bitWidth else {
            throw LociError(.invalidArgument, "A report has too many lengths of postings.")
        }
    }
}

private func checkTuning(_ tuning: [RecallSetting]) throws(LociError) {
    guard tuning.count <= Limits.recallSettings else {
        throw LociError(
            .invalidArgument, "\(tuning.count) settings are too many.",
            advice: "Store at most \(Limits.recallSettings).")
    }
}

private func checkSteps(_ steps: UInt32) throws(LociError) {
    guard (1...Limits.steps).contains(steps) else {
        throw LociError(
            .invalidArgument, "\(steps) steps are not possible.",
            advice: "Choose 1 to \(Limits.steps).")
    }
}

extension ReadMemory {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkName(name)
        try checkSteps(steps)
        try frames.addresses(1, count: count)
    }
}

extension MemoryAnswer {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try frames.addresses(4, count: count)
        try frames.expect(1, bytes: Int(count) * 4)
        try frames.expect(2, bytes: Int(count))
        try frames.expect(3, bytes: Int(count) * 4)
    }
}

extension ShardMemoryAnswer {
    func validate(_ frames: BulkFrames) throws(LociError) {
        try checkPointCount(Int(count))
        try frames.expect(2)
        let bytes = frames[0].count
        guard bytes > 0, bytes % (Int(count) * 4) == 0,
            bytes / (Int(count) * 4) <= MemoryDefinition.mostBits
        else {
            throw LociError(
                .invalidArgument, "\(bytes) bytes are not the sums of \(count) vectors.")
        }
        try frames.expect(1, bytes: Int(count) * 4)
    }
}

extension BulkFrames {
    /// The first of `count` frames holds a vector.
    /// - Returns: Its dimension.
    func vector(of count: Int) throws(LociError) -> Int {
        try expect(count)
        return try Vectors.dimension(of: self[0], count: 1)
    }

    /// What an address is asked of: a vector, and the hard locations of partitions.
    func vectorAndLocations() throws(LociError) {
        _ = try vector(of: 2)
        guard self[1].count % 8 == 0 else {
            throw LociError(
                .invalidArgument, "\(self[1].count) bytes do not name hard locations.")
        }
    }

    /// One vector of finite doubles.
    func weightedSum() throws(LociError) {
        try expect(1, multipleOf: 8)
        let sums = self[0].values(Double.self)
        guard (1...Limits.dimension).contains(sums.count), sums.allSatisfy(\.isFinite) else {
            throw LociError(
                .invalidArgument, "\(self[0].count) bytes are not a sum of vectors.")
        }
    }

    /// The first of `frames` frames holds `count` binary vectors.
    func addresses(_ frames: Int, count: UInt32) throws(LociError) {
        try checkPointCount(Int(count))
        try expect(frames)
        let bytes = self[0].count
        guard bytes > 0, bytes % Int(count) == 0,
            bytes / Int(count) <= (MemoryDefinition.mostBits + 7) / 8
        else {
            throw LociError(
                .invalidArgument,
                "\(bytes) bytes are not \(count) vectors of at most "
                    + "\(MemoryDefinition.mostBits) bits.")
        }
    }

    func addressesAndData(count: UInt32) throws(LociError) {
        try addresses(2, count: count)
        try expect(1, bytes: self[0].count)
    }
}
