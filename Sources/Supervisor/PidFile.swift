import Core
import Glibc
import IO

/// The file that tells others whom to signal. Its holder keeps it locked (flock(2)), so a file that a dead process left
/// behind is told from one in use, whatever the number in it means by now.
final class PidFile {
    /// How often another process that starts at the same moment may come between two of our steps.
    private static let attempts = 8

    private let path: String
    private let fd: OwnedFD

    private init(path: String, fd: consuming OwnedFD) {
        self.path = path
        self.fd = fd
    }

    /// Writes it, whole or not at all: a reader never sees an empty or half-written file.
    static func write(_ path: String, pid: Int32 = getpid()) throws(StartFailure) -> PidFile {
        let temporary = "\(path).\(pid)"
        unlink(temporary)
        let raw = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard raw >= 0 else { throw unwritable(path, Errno(errno)) }
        let fd = OwnedFD(adopting: raw)
        defer { unlink(temporary) }
        let text = Array("\(pid)\n".utf8)
        guard flock(fd.raw, LOCK_EX | LOCK_NB) == 0, Glibc.write(fd.raw, text, text.count) == text.count else {
            throw unwritable(path, Errno(errno))
        }
        for _ in 0..<attempts {
            // link(2) fails when the name exists, rename(2) replaces it: the first for a new file, the second for a
            // dead one's, which stays locked by us meanwhile.
            if link(temporary, path) == 0 { return PidFile(path: path, fd: fd) }
            guard errno == EEXIST else { throw unwritable(path, Errno(errno)) }
            let old = open(path, O_RDONLY | O_CLOEXEC)
            guard old >= 0 else {
                if errno == ENOENT { continue }
                throw unwritable(path, Errno(errno))
            }
            let stale = OwnedFD(adopting: old)
            guard flock(stale.raw, LOCK_EX | LOCK_NB) == 0 else {
                throw StartFailure(
                    "pid file '\(path)' is in use by process \(firstLine(stale.raw)); stop it, or name another file with "
                        + "--pid-file")
            }
            guard isSame(stale.raw, path) else { continue }
            guard rename(temporary, path) == 0 else { throw unwritable(path, Errno(errno)) }
            return PidFile(path: path, fd: fd)
        }
        throw unwritable(path, Errno(EAGAIN))
    }

    /// Removes it, unless somebody has put another one in its place.
    func remove() {
        if Self.isSame(fd.raw, path) { unlink(path) }
    }

    private static func unwritable(_ path: String, _ errno: Errno) -> StartFailure {
        StartFailure("pid file '\(path)' cannot be written: \(errno)")
    }

    private static func isSame(_ fd: CInt, _ path: String) -> Bool {
        var mine = stat()
        var there = stat()
        return fstat(fd, &mine) == 0 && lstat(path, &there) == 0 && mine.st_ino == there.st_ino
            && mine.st_dev == there.st_dev
    }

    private static func firstLine(_ fd: CInt) -> String {
        var octets = [UInt8](repeating: 0, count: 32)
        let count = pread(fd, &octets, octets.count, 0)
        return String(decoding: octets.prefix(max(0, count)).prefix { $0 > 0x20 && $0 < 0x7F }, as: UTF8.self)
    }
}
