public import LociBase

/// Where cold extents are kept: a folder on slow disks, or a store of objects. An object is written
/// once, as a whole, and replaced as a whole. Names are paths without a leading `/`; a folder is
/// what stands before the last `/`. All methods may be called from any thread that may wait.
public protocol ExtentBackend: Sendable {
    /// For people, in sentences about the object.
    func path(of name: String) -> String

    /// Makes the place this slice's own, or checks that it is.
    /// - Parameter isNew: Whether the slice has never kept anything here.
    /// - Throws: `foreign` if it belongs to another slice; `missingTier` if it is not there and
    ///   should be: a disk that is not mounted, for one.
    func claim(for identity: SliceIdentity, isNew: Bool) throws(StorageError)

    /// Durable on return, in place of an object of that name: at every instant the one or the other
    /// is there as a whole.
    func put(_ content: Bytes, as name: String) throws(StorageError)

    /// - Returns: nil if there is no such object. What is open stays readable when the object is
    ///   replaced or removed.
    /// - Throws: `missingTier` if the whole place is out of reach.
    func open(_ name: String) throws(StorageError) -> (any ExtentObject)?

    /// An object that is absent is no error. Need not become durable.
    func remove(_ name: String) throws(StorageError)

    /// Removes a folder and all objects in it.
    func removeFolder(_ folder: String) throws(StorageError)

    /// Names in a folder, without the folder's, sorted; none if it is absent. Remains of an
    /// interrupted `put` may be among them.
    func list(_ folder: String) throws(StorageError) -> [String]
}

/// An open object of an `ExtentBackend`.
public protocol ExtentObject: Sendable {
    var byteCount: Int { get }
    /// Exactly `count` bytes; `corrupt` if the object ends before them.
    func read(at offset: Int, count: Int) throws(StorageError) -> Bytes
}
