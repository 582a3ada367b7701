import Core
import Glibc

/// A small file that must be there, whole, after a crash or a power cut: the old content or the new, never a part.
public enum DurableFile {
    /// Whose a file is, and who may do what with it.
    public struct Ownership: Equatable, Sendable {
        public var user: uid_t
        public var group: gid_t
        public var mode: mode_t

        /// Of the file at a path, a link's target included; nil when there is none.
        public init?(of path: String) throws(Errno) {
            var status = stat()
            guard stat(path, &status) == 0 else {
                if errno == ENOENT { return nil }
                throw Errno(errno)
            }
            user = status.st_uid
            group = status.st_gid
            // No set-user-ID: nothing that is written here is a program.
            mode = status.st_mode & 0o777
        }
    }

    /// Writes beside the file, has that on disk, and puts it in the file's place (rename(2)).
    /// - Parameter mode: permissions of the new file, less those that the process takes from all its files (umask(2)).
    /// - Parameter ownership: what the file is to have instead of this mode and the process's own user and group;
    ///   `EPERM` when this process may not give it that (chown(2)), and nothing is replaced then.
    public static func write(
        _ octets: ByteView, to path: String, mode: mode_t = 0o600, ownership: Ownership? = nil
    ) throws(Errno) {
        let beside = path + ".new"
        // What a crash has left there may be of another mode or owner, or open elsewhere.
        guard unlink(beside) == 0 || errno == ENOENT else { throw Errno(errno) }
        let raw = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, ownership == nil ? mode : 0o600)
        guard raw >= 0 else { throw Errno(errno) }
        let fd = OwnedFD(adopting: raw)
        if let ownership, let error = give(ownership, to: fd.raw) {
            unlink(beside)
            throw error
        }
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

    private static func give(_ ownership: Ownership, to fd: CInt) -> Errno? {
        // The mode first: what is another user's may not be changed without a further capability (CAP_FOWNER).
        guard fchmod(fd, ownership.mode) == 0 else { return Errno(errno) }
        var status = stat()
        guard fstat(fd, &status) == 0 else { return Errno(errno) }
        guard status.st_uid != ownership.user || status.st_gid != ownership.group else { return nil }
        return fchown(fd, ownership.user, ownership.group) == 0 ? nil : Errno(errno)
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
