import LociModel

extension LociError {
    /// Another shard, or the same one a moment later, would say the same: no part of an answer is
    /// given in its place.
    var isAboutTheRequest: Bool { code == .invalidArgument || code == .resourceExhausted }
}
