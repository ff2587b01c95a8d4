/// The version of the programs, the wire protocol and the files on disk.
public enum LociVersion {
    public static let program = "0.1.0"
    /// Peers must agree on it.
    public static let wire: UInt32 = 4
    /// A file with another version is refused with a sentence.
    public static let format: UInt32 = 3
}
