import CLinux
import Core
import Glibc

/// Sockets at a path for whole messages (SOCK_SEQPACKET; unix(7)): how processes that were not started together meet.
public enum MessageSocket {
    /// Connections that may wait to be accepted.
    private static let backlog: CInt = 64

    /// Who is at the other end.
    public struct Peer: Equatable, Sendable {
        /// 0 when it is in another namespace of processes.
        public var pid: Int32
        public var uid: UInt32
    }

    /// Listens at a path, where a socket that nobody answers at is replaced: it is what a killed process leaves behind.
    /// Only this user and root can connect (mode 0600).
    /// - Throws: EADDRINUSE when somebody answers there; EEXIST when something lies there that is no socket; ENAMETOOLONG.
    public static func listen(path: String) throws(Errno) -> OwnedFD {
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK else { throw Errno(EEXIST) }
            do throws(Errno) {
                _ = try connect(path: path)
                throw Errno(EADDRINUSE)
            } catch {
                guard error.code == ECONNREFUSED else { throw Errno(EADDRINUSE) }
            }
            unlink(path)
        }
        let fd = try unconnected()
        let mask = umask(0o177)
        defer { umask(mask) }
        guard try Socket.withSockaddr(path: path, { bind(fd.raw, $0, $1) }) == 0 else { throw Errno(errno) }
        guard Glibc.listen(fd.raw, backlog) == 0 else { throw Errno(errno) }
        return fd
    }

    /// Connects to such a socket, at once or not at all.
    public static func connect(path: String) throws(Errno) -> OwnedFD {
        let fd = try unconnected()
        guard try Socket.withSockaddr(path: path, { Glibc.connect(fd.raw, $0, $1) }) == 0 else { throw Errno(errno) }
        return fd
    }

    private static func unconnected() throws(Errno) -> OwnedFD {
        let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let raw = socket(AF_UNIX, type, 0)
        guard raw >= 0 else { throw Errno(errno) }
        return OwnedFD(adopting: raw)
    }

    /// The credentials of the other end, as the kernel noted them when it connected (SO_PEERCRED).
    public static func peer(of fd: CInt) throws(Errno) -> Peer {
        var peer = Peer(pid: 0, uid: .max)
        let result = clinux_peer_credentials(fd, &peer.pid, &peer.uid)
        guard result == 0 else { throw Errno(-result) }
        return peer
    }
}

/// A process that is somebody else's child, to be told of its end (pidfd_open(2)): readable from then on.
public enum ProcessEnd {
    public static func watch(_ pid: Int32) throws(Errno) -> OwnedFD {
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { throw Errno(-raw) }
        return OwnedFD(adopting: raw)
    }

    /// Whether it has ended.
    public static func hasCome(_ fd: CInt) -> Bool {
        var question = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return poll(&question, 1, 0) > 0
    }
}

extension Socket {
    /// Whether this is a TCP socket that listens: what came from another process is looked at before it is used.
    /// - Parameter address: where it must be bound; nil: anywhere.
    public static func isListening(_ fd: CInt, at address: SocketAddress? = nil) -> Bool {
        func option(_ name: CInt) -> CInt {
            var value: CInt = -1
            var length = socklen_t(MemoryLayout<CInt>.size)
            return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1
        }
        guard option(SO_ACCEPTCONN) == 1, option(SO_PROTOCOL) == Int32(IPPROTO_TCP) else { return false }
        guard let address else { return true }
        guard let local = localAddress(fd), local.port == address.port else { return false }
        // Where there is no IPv6, `[::]` was bound as `0.0.0.0`.
        return local.ip == address.ip || local.ip.isAny && address.ip.isAny
    }
}
