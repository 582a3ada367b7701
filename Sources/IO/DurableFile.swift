import Core
import Glibc

/// A small file that must be there, whole, after a crash or a power cut: the old content or the new, never a part.
public enum DurableFile {
    /// Writes beside the file, has that on disk, and puts it in the file's place (rename(2)).
    /// - Parameter mode: permissions of the new file, less those that the process takes from all its files (umask(2)).
    public static func write(_ octets: ByteView, to path: String, mode: mode_t = 0o600) throws(Errno) {
        let beside = path + ".new"
        // What a crash has left there may be of another mode or owner, or open elsewhere.
        guard unlink(beside) == 0 || errno == ENOENT else { throw Errno(errno) }
        let raw = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard raw >= 0 else { throw Errno(errno) }
        let fd = OwnedFD(adopting: raw)
        var done = 0
        while done < octets.count {
            let count = Glibc.write(fd.raw, octets.base.unsafelyUnwrapped + done, octets.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Errno(count == 0 ? ENOSPC : errno) }
            done += count
        }
        guard fsync(fd.raw) == 0 else { throw Errno(errno) }
        guard rename(beside, path) == 0 else { throw Errno(errno) }
        // The name itself is on disk only when its folder is.
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let rawFolder = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard rawFolder >= 0 else { throw Errno(errno) }
        let folderFD = OwnedFD(adopting: rawFolder)
        guard fsync(folderFD.raw) == 0 else { throw Errno(errno) }
    }

    /// The file's octets; nil when there is no such file.
    /// - Parameter limit: octets; a larger file is `EFBIG`.
    public static func read(_ path: String, limit: Int) throws(Errno) -> [UInt8]? {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            throw Errno(errno)
        }
        let fd = OwnedFD(adopting: raw)
        var octets: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(fd.raw, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Errno(errno) }
            if count == 0 { return octets }
            octets += block.prefix(count)
            if octets.count > limit { throw Errno(EFBIG) }
        }
    }
}
