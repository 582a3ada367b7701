import Core
import Glibc

/// What this process takes of its machine, as the kernel tells it (proc(5)).
public enum ProcessUse {
    /// Octets of memory that are this process's alone: what is resident, less what it shares with others or with files.
    /// Nil where there is no /proc.
    public static var privateMemory: UInt64? {
        var text = ByteBuffer(capacity: 256)
        guard read("/proc/self/statm", into: &text) else { return nil }
        var words = WordReader(text.view)
        _ = words.next()
        guard let resident = words.next()?.decimal, let shared = words.next()?.decimal else { return nil }
        return (resident - min(shared, resident)) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Descriptors that are open. Nil where it cannot be told.
    public static var openDescriptors: Int? {
        var status = stat()
        // Since Linux 6.2 the folder's size is their number; before that they are counted.
        if stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int(status.st_size) }
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // `.`, `..`, and the one that reads the folder.
        return max(0, count - 3)
    }

    /// RLIMIT_NOFILE, as it is now.
    public static var descriptorLimit: Int {
        var bound = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bound)
        return Int(min(bound.rlim_cur, 1 << 24))
    }

    /// How much memory the process's group of processes may take (cgroups(7), both versions); nil: as much as there is.
    public static var memoryLimit: UInt64? {
        var text = ByteBuffer(capacity: 4096)
        guard read("/proc/self/cgroup", into: &text) else { return nil }
        var least: UInt64?
        var at = 0
        let view = text.view
        while at < view.count {
            let end = view.firstIndex(of: ASCII.lf, from: at) ?? view.count
            let line = view[at..<end]
            at = end + 1
            guard let first = line.firstIndex(of: ASCII.colon),
                let second = line.firstIndex(of: ASCII.colon, from: first + 1)
            else { continue }
            let controllers = line[(first + 1)..<second]
            let path = line.from(second + 1).string
            if controllers.isEmpty {
                least = leastOf(path, under: "/sys/fs/cgroup", file: "memory.max", least)
            } else if controllers.equals("memory") {
                least = leastOf(path, under: "/sys/fs/cgroup/memory", file: "memory.limit_in_bytes", least)
            }
        }
        return least
    }

    /// A group's bound holds for those below it, so each on the way up is asked.
    private static func leastOf(_ path: String, under root: String, file: String, _ least: UInt64?) -> UInt64? {
        var least = least
        var parts = path.split(separator: "/").map(String.init)
        while true {
            var text = ByteBuffer(capacity: 64)
            let place = ([root] + parts + [file]).joined(separator: "/")
            // "max", or a number past all memory, is none.
            if read(place, into: &text) {
                var words = WordReader(text.view)
                if let limit = words.next()?.decimal, limit < 1 << 60 { least = min(least ?? limit, limit) }
            }
            if parts.isEmpty { return least }
            parts.removeLast()
        }
    }

    private static func read(_ path: String, into buffer: inout ByteBuffer) -> Bool {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        let count = Glibc.read(raw, buffer.writePointer, buffer.room)
        guard count > 0 else { return false }
        buffer.didWrite(count)
        return true
    }
}

/// Words between blanks.
private struct WordReader {
    private let text: ByteView
    private var at = 0

    init(_ text: ByteView) { self.text = text }

    mutating func next() -> ByteView? {
        while at < text.count, text[at] <= ASCII.space { at += 1 }
        guard at < text.count else { return nil }
        let start = at
        while at < text.count, text[at] > ASCII.space { at += 1 }
        return text[start..<at]
    }
}
