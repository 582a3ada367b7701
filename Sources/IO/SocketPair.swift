import CLinux
import Glibc

/// Two sockets of this process that are connected to each other: what one is given, the other reads (socketpair(2)).
///
/// Streams of the family AF_UNIX: half-closing and closing are seen by the other end as with TCP. A reset is not, unless
/// octets lay unread in the end that closed.
public struct SocketPair: ~Copyable {
    public let near: OwnedFD
    public let far: OwnedFD

    /// Both ends are non-blocking and close-on-exec.
    /// - Throws: EMFILE, ENFILE: no descriptors are left.
    public init() throws(Errno) {
        var ends: (CInt, CInt) = (-1, -1)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let result = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: CInt.self, capacity: 2) { socketpair(AF_UNIX, kind, 0, $0) }
        }
        guard result == 0 else { throw Errno(errno) }
        near = OwnedFD(adopting: ends.0)
        far = OwnedFD(adopting: ends.1)
    }

    /// Gives both ends away.
    public consuming func release() -> (near: CInt, far: CInt) { (near.release(), far.release()) }
}
