import CLinux
import Glibc

/// Memory that several processes map: a memfd of fixed size, zero at first, which lives as long as somebody holds it.
public enum SharedMemory {
    /// Makes one of `size` octets whose size cannot change any more, so that no process can make another one's access
    /// fail (SIGBUS) by truncating it.
    public static func make(_ name: String, size: Int) throws(Errno) -> OwnedFD {
        let raw = clinux_memfd(name)
        guard raw >= 0 else { throw Errno(-raw) }
        let fd = OwnedFD(adopting: raw)
        guard ftruncate(fd.raw, size) == 0 else { throw Errno(errno) }
        let sealed = clinux_seal_size(fd.raw)
        guard sealed == 0 else { throw Errno(-sealed) }
        return fd
    }

    /// Maps the whole of it for reading and writing, for the life of the process.
    public static func map(_ fd: CInt) throws(Errno) -> UnsafeMutableRawBufferPointer {
        let size = try fileSize(fd)
        guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), base != MAP_FAILED else {
            throw Errno(errno)
        }
        return UnsafeMutableRawBufferPointer(start: base, count: size)
    }

    static func fileSize(_ fd: CInt) throws(Errno) -> Int {
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw Errno(errno) }
        guard status.st_size > 0 else { throw Errno(EINVAL) }
        return Int(status.st_size)
    }
}

/// A sealed memfd, mapped for reading: nobody can change, grow or shrink it, so what was checked stays true.
/// Unmapped with its last holder.
public final class SealedBlock {
    public let base: UnsafeRawPointer
    public let size: Int

    /// Maps it.
    /// - Throws: EPERM when it is not sealed against writing and shrinking, EINVAL when it is empty, mmap(2)'s errors.
    public init(_ fd: CInt) throws(Errno) {
        guard clinux_is_sealed(fd) == 1 else { throw Errno(EPERM) }
        let size = try SharedMemory.fileSize(fd)
        guard let base = mmap(nil, size, PROT_READ, MAP_SHARED, fd, 0), base != MAP_FAILED else { throw Errno(errno) }
        self.base = UnsafeRawPointer(base)
        self.size = size
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: base), size) }

    /// Copies `octets` into a new memfd and seals it.
    public static func make(_ name: String, _ octets: UnsafeRawBufferPointer) throws(Errno) -> SharedFD {
        let raw = clinux_memfd(name)
        guard raw >= 0 else { throw Errno(-raw) }
        let fd = OwnedFD(adopting: raw)
        var done = 0
        while done < octets.count {
            let written = write(fd.raw, octets.baseAddress! + done, octets.count - done)
            if written < 0 {
                if errno == EINTR { continue }
                throw Errno(errno)
            }
            done += written
        }
        let sealed = clinux_seal(fd.raw)
        guard sealed == 0 else { throw Errno(-sealed) }
        return SharedFD(fd)
    }
}
