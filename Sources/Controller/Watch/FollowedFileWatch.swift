import Core
import Glibc
import IO

/// Notices that files which manifests name have changed (certificates, keys, authorities), by looking at them from time to
/// time: a renewed certificate is used without a word from anybody, and on file systems that tell nothing, too. A look is one
/// stat(2) a file. Without such files it does nothing at all.
final class FollowedFileWatch: Timed {
    /// Between two looks.
    static let interval = TimeAmount.seconds(10)
    /// After a change, until the next look: a certificate and its key are two files.
    static let quietTime = TimeAmount.milliseconds(500)
    /// Looks that wait for quiet, at most.
    private static let longestWait = 20

    /// What tells one content of a file from another, most probably.
    private struct Stamp: Equatable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = -1
        var modified: Int64 = 0
        var changed: Int64 = 0

        init(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
            changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
        }
    }

    private var paths: [String] = []
    private var stamps: [Stamp] = []
    private var waits = 0
    private let loop: EventLoop
    private let changed: () -> Void

    init(loop: EventLoop, _ changed: @escaping () -> Void) {
        self.loop = loop
        self.changed = changed
    }

    /// Looks at these files from now on, instead of those of the call before.
    func follow(_ files: [String]) {
        if files != paths {
            paths = files
            stamps = files.map { Stamp($0) }
            waits = 0
        }
        if paths.isEmpty { loop.clearDeadline(self) } else if waits == 0 { arm(Self.interval) }
    }

    private func arm(_ pause: TimeAmount) { loop.setDeadline(self, loop.now + pause) }

    override func deadlinePassed(now: Instant) {
        let newest = paths.map { Stamp($0) }
        if newest != stamps, waits < Self.longestWait {
            stamps = newest
            waits += 1
            return arm(Self.quietTime)
        }
        let hasChanged = waits > 0
        stamps = newest
        waits = 0
        arm(Self.interval)
        if hasChanged { changed() }
    }
}
