import Core
import Glibc
import IO

/// Notices that manifests have changed (inotify(7)), and says so once things are quiet again.
///
/// Folders are watched, not files: editors write a new file and rename it over the old one, and a mounted ConfigMap
/// replaces a link. A file that was named is watched through its folder, and through the folder that a link leads to.
final class FileWatch: EventSource {
    /// Quiet for this long: the change is complete.
    static let quietTime = TimeAmount.milliseconds(150)
    /// A folder that never is quiet is looked at all the same.
    static let longestWait = TimeAmount.seconds(2)
    /// Folders of one set that are watched.
    static let folderLimit = 8192

    /// Why nothing is watched; nil: all is well.
    private(set) var problem: String?
    private let paths: [String]
    /// Files that the manifests name, which need not lie below ``paths``.
    private var followed: [String] = []
    private let loop: EventLoop
    private let changed: () -> Void
    private var fd: CInt = -1
    /// Folders by their watch, each with the names in it that matter; nil: all of them.
    private var folders: [CInt: Set<String>?] = [:]
    private var firstEvent: Instant?

    init(paths: [String], loop: EventLoop, _ changed: @escaping () -> Void) {
        self.paths = paths
        self.loop = loop
        self.changed = changed
        super.init()
        fd = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard fd >= 0 else {
            problem = "\(Errno(errno))"
            return
        }
        loop.addReader(fd, self)
        watchAll()
    }

    deinit {
        guard fd >= 0 else { return }
        loop.clearDeadline(self)
        loop.remove(fd)
        close(fd)
    }

    // MARK: what is watched

    /// Watches these files too, instead of those of the call before.
    func follow(_ files: [String]) {
        guard files != followed else { return }
        followed = files
        watchAll()
    }

    private func watchAll() {
        problem = nil
        for path in paths + followed {
            var status = stat()
            // What does not exist yet comes into being in its parent.
            if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                watchFolders(below: path, depth: 0)
            }
            if let target = Self.target(of: path) {
                // A link may be replaced anywhere on its way, as mounted ConfigMaps do beside the file.
                watch(Self.parent(of: path))
                watch(Self.parent(of: target), Self.name(of: target))
            } else {
                watch(Self.parent(of: path), Self.name(of: path))
            }
        }
    }

    private func watchFolders(below path: String, depth: Int) {
        // Deeper is a loop of links.
        guard depth < 40 else { return }
        guard watch(path), let folder = opendir(path) else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") { continue }
            let below = path.hasSuffix("/") ? path + name : path + "/" + name
            var status = stat()
            guard stat(below, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                watchFolders(below: below, depth: depth + 1)
            } else if let target = Self.target(of: below) {
                watch(Self.parent(of: target), Self.name(of: target))
            }
        }
    }

    /// - Parameter name: what matters in the folder; nil: everything.
    @discardableResult
    private func watch(_ folder: String, _ name: String? = nil) -> Bool {
        guard folders.count < Self.folderLimit else {
            problem = "more than \(Self.folderLimit) folders"
            return false
        }
        let events =
            IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
        let number = inotify_add_watch(fd, folder, UInt32(events))
        guard number >= 0 else {
            if errno == ENOSPC || errno == ENOMEM { problem = "\(Errno(errno)) (fs.inotify.max_user_watches)" }
            return false
        }
        if let name, let known = folders[number] ?? Set() {
            folders[number] = .some(known.union([name]))
        } else {
            folders[number] = .some(nil)
        }
        return true
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func name(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
    }

    /// Where a link leads in the end; nil when the path is no link.
    private static func target(of path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK, let resolved = realpath(path, nil) else {
            return nil
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    // MARK: events

    override func ready(_ events: ReadyEvents) {
        // What happened in detail does not matter, only where: the whole set is read again.
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        var any = false
        while true {
            let count = read(fd, &buffer, buffer.count)
            guard count > 0 else { break }
            if concernsUs(buffer[..<count]) { any = true }
        }
        guard any else { return }
        let first = firstEvent ?? loop.now
        firstEvent = first
        loop.setDeadline(self, min(loop.now + Self.quietTime, first + Self.longestWait))
    }

    /// Whether one of the events (inotify(7)) is about a name that matters.
    private func concernsUs(_ events: ArraySlice<UInt8>) -> Bool {
        let header = MemoryLayout<inotify_event>.size
        var at = events.startIndex
        while at + header <= events.endIndex {
            let event = events.withUnsafeBytes {
                $0.loadUnaligned(fromByteOffset: at - events.startIndex, as: inotify_event.self)
            }
            let end = at + header + Int(event.len)
            guard end <= events.endIndex else { return true }
            let name = String(decoding: events[(at + header)..<end].prefix { $0 != 0 }, as: UTF8.self)
            // An overflow of the queue has no folder: something was missed.
            guard let names = folders[event.wd] ?? nil else { return true }
            if name.isEmpty || names.contains(name) { return true }
            at = end
        }
        return false
    }

    override func deadlinePassed(now: Instant) {
        firstEvent = nil
        // New folders, and links that lead elsewhere now. A folder that is known keeps its number.
        watchAll()
        changed()
    }
}
