/// The names of the files in memory, as processes see them and as a loss of power would leave them.
struct MemoryNames: Sendable {
    private enum Change: Sendable {
        case set(String, inode: UInt64)
        case remove(String)
        case rename(from: String, to: String)
    }

    private(set) var live: [String: UInt64] = [:]
    private(set) var folders: Set<String> = []
    private var durable: [String: UInt64] = [:]
    /// Changes not yet durable, in order, by the folder that must be synced for them.
    private var pending: [String: [Change]] = [:]

    /// All inodes that have a name, or may have one again after a crash.
    var inodes: Set<UInt64> {
        var result = Set(live.values).union(durable.values)
        for case .set(_, let inode) in pending.values.joined() { result.insert(inode) }
        return result
    }

    mutating func createFolder(_ path: String) {
        var folder = path
        while folders.insert(folder).inserted, parentFolder(of: folder) != folder {
            folder = parentFolder(of: folder)
        }
    }

    mutating func create(_ path: String, inode: UInt64) {
        live[path] = inode
        pending[parentFolder(of: path), default: []].append(.set(path, inode: inode))
    }

    mutating func remove(_ path: String) {
        if live.removeValue(forKey: path) == nil { return }
        pending[parentFolder(of: path), default: []].append(.remove(path))
    }

    mutating func rename(_ from: String, to: String) {
        live[to] = live.removeValue(forKey: from)
        pending[parentFolder(of: to), default: []].append(.rename(from: from, to: to))
    }

    /// Durable when the tree's own folder is synced.
    mutating func removeTree(_ path: String) {
        let inside = path + "/"
        let parent = parentFolder(of: path)
        for folder in folders where folder == path || folder.hasPrefix(inside) {
            pending[folder] = nil
            folders.remove(folder)
        }
        for name in Set(live.keys).union(durable.keys).sorted() where name.hasPrefix(inside) {
            live[name] = nil
            pending[parent, default: []].append(.remove(name))
        }
        remove(path)
    }

    mutating func syncFolder(_ path: String) {
        for change in pending.removeValue(forKey: path) ?? [] { Self.apply(change, to: &durable) }
    }

    /// A loss of power: of each folder's changes since its last sync the first few survive.
    mutating func crash(roll: (Int) -> Int) {
        for folder in pending.keys.sorted() {
            let changes = pending[folder]!
            for change in changes.prefix(roll(changes.count + 1)) {
                Self.apply(change, to: &durable)
            }
        }
        pending = [:]
        live = durable
        for path in live.keys { createFolder(parentFolder(of: path)) }
    }

    private static func apply(_ change: Change, to names: inout [String: UInt64]) {
        switch change {
        case .set(let path, let inode): names[path] = inode
        case .remove(let path): names[path] = nil
        case .rename(let from, let to): names[to] = names.removeValue(forKey: from)
        }
    }
}
