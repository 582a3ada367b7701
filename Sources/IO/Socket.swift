import CLinux
import Core
import Glibc

/// Sockets: making, accepting, connecting; TCP unless a function says otherwise. All are non-blocking and close-on-exec.
public enum Socket {
    /// How many connections the kernel keeps for a socket that is not accepting (capped by net.core.somaxconn).
    public static let backlog: CInt = 4096

    /// Octets that the kernel may keep of datagrams that were not taken yet (capped by net.core.rmem_max).
    public static let datagramBacklog: CInt = 4 << 20

    /// A socket of its own SO_REUSEPORT place, listening or waiting for datagrams. `[::]` takes IPv4 too.
    public static func listen(_ place: ListeningAddress) throws(Errno) -> OwnedFD {
        switch place.transport {
        case .tcp: try listen(place.address)
        case .udp: try takeDatagrams(place.address)
        }
    }

    /// A socket for datagrams, which tells the address that each was sent to (IP_PKTINFO): the answer must come from there.
    private static func takeDatagrams(_ address: SocketAddress) throws(Errno) -> OwnedFD {
        let local = toBind(address)
        let fd = try unbound(local, .udp)
        let raw = fd.raw
        set(raw, SOL_SOCKET, SO_REUSEPORT, 1)
        set(raw, SOL_SOCKET, SO_RCVBUF, datagramBacklog)
        set(raw, Int32(IPPROTO_IP), IP_PKTINFO, 1)
        if !local.ip.isV4 { set(raw, Int32(IPPROTO_IPV6), IPV6_RECVPKTINFO, 1) }
        guard withSockaddr(local, { bind(raw, $0, $1) }) == 0 else { throw Errno(errno) }
        return fd
    }

    /// A listening socket of its own SO_REUSEPORT place. `[::]` takes IPv4 too.
    public static func listen(_ address: SocketAddress) throws(Errno) -> OwnedFD {
        let local = toBind(address)
        let fd = try unbound(local)
        let raw = fd.raw
        set(raw, SOL_SOCKET, SO_REUSEPORT, 1)
        // Inherited by accepted sockets: one call here instead of one for each connection.
        set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        guard withSockaddr(local, { bind(raw, $0, $1) }) == 0 else { throw Errno(errno) }
        guard Glibc.listen(raw, backlog) == 0 else { throw Errno(errno) }
        return fd
    }

    /// Whether the kernel has IPv6 at all (not so with `ipv6.disable=1`).
    static let hasIPv6: Bool = {
        let raw = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return errno != EAFNOSUPPORT }
        _ = OwnedFD(adopting: raw)
        return true
    }()

    /// `[::]` stands for every address that there is: where there is no IPv6, for `0.0.0.0`.
    private static func toBind(_ address: SocketAddress) -> SocketAddress {
        guard address.ip.isAny, !address.ip.isV4, !hasIPv6 else { return address }
        return SocketAddress(ip: IPAddress(v4: 0, 0, 0, 0), port: address.port)
    }

    /// A socket that can be bound to the address.
    private static func unbound(
        _ address: SocketAddress, _ transport: SocketTransport = .tcp
    ) throws(Errno) -> OwnedFD {
        let type = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        let kind = Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let raw = socket(address.ip.isV4 ? AF_INET : AF_INET6, kind, 0)
        guard raw >= 0 else { throw Errno(errno) }
        // With UDP it would let others of the same user take our datagrams (socket(7)); with TCP it is about TIME_WAIT.
        if transport == .tcp { set(raw, SOL_SOCKET, SO_REUSEADDR, 1) }
        if !address.ip.isV4 { set(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.ip.isAny ? 0 : 1) }
        return OwnedFD(adopting: raw)
    }

    /// Why this address cannot be listened on by somebody who shares it with nobody; nil: it can.
    ///
    /// SO_REUSEPORT would let a second program of the same user take half of our connections, and us half of theirs,
    /// without a word. Binding without it tells: it fails with EADDRINUSE when anybody listens there. The probe never
    /// listens, so it takes no connection.
    public static func conflict(_ place: ListeningAddress) -> Errno? {
        do throws(Errno) {
            let local = toBind(place.address)
            let fd = try unbound(local, place.transport)
            return withSockaddr(local, { bind(fd.raw, $0, $1) }) == 0 ? nil : Errno(errno)
        } catch {
            return error
        }
    }

    /// As above, for TCP.
    public static func conflict(_ address: SocketAddress) -> Errno? { conflict(ListeningAddress(.tcp, address)) }

    /// A listening socket at a path, for programs of this machine (unix(7)); what begins with `@` is a name in no file system.
    /// - Throws: EADDRINUSE also when a dead socket lies there; ENAMETOOLONG past 107 octets.
    public static func listen(path: String) throws(Errno) -> OwnedFD {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw Errno(errno) }
        let fd = OwnedFD(adopting: raw)
        guard try withSockaddr(path: path, { bind(raw, $0, $1) }) == 0 else { throw Errno(errno) }
        guard Glibc.listen(raw, backlog) == 0 else { throw Errno(errno) }
        return fd
    }

    /// Connects to a socket at a path, at once or not at all: one whose queue is full refuses (EAGAIN).
    public static func connect(path: String) throws(Errno) -> OwnedFD {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw Errno(errno) }
        let fd = OwnedFD(adopting: raw)
        guard try withSockaddr(path: path, { Glibc.connect(raw, $0, $1) }) == 0 else { throw Errno(errno) }
        return fd
    }

    /// The user whose process has connected to a Unix socket of ours (unix(7), SO_PEERCRED); nil: unknown.
    public static func peerUser(_ fd: CInt) -> UInt32? {
        // struct ucred: process, user, group.
        var credentials: (Int32, UInt32, UInt32) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        return credentials.1
    }

    static func withSockaddr<R>(
        path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) throws(Errno) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let octets = Array(path.utf8)
        guard !octets.isEmpty, octets.count < MemoryLayout.size(ofValue: address.sun_path), !octets.contains(0) else {
            throw Errno(ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0.copyBytes(from: octets)
            if octets[0] == UInt8(ascii: "@") { $0[0] = 0 }
        }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// The address the socket is bound to (getsockname(2)); tells the port when 0 was asked for.
    public static func localAddress(_ fd: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                getsockname(fd, address, &length) == 0 ? read(address) : nil
            }
        }
    }

    /// Whom it is connected to (getpeername(2)); nil: nobody.
    public static func peerAddress(_ fd: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                getpeername(fd, address, &length) == 0 ? read(address) : nil
            }
        }
    }

    /// The next waiting connection and where it comes from; `wouldBlock` as nil.
    public static func accept(_ listener: CInt) throws(Errno) -> (fd: CInt, peer: SocketAddress)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        while true {
            let (raw, peer): (CInt, SocketAddress?) = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    let raw = clinux_accept4(listener, address, &length)
                    return (raw, raw >= 0 ? read(address) : nil)
                }
            }
            if raw >= 0 { return (raw, peer ?? SocketAddress(ip: .any, port: 0)) }
            switch -raw {
            case EINTR: continue
            case EAGAIN: return nil
            // The connection died in the queue, or its network did (accept(2), "Error handling"): take the next.
            case ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
                ENETUNREACH:
                continue
            default: throw Errno(-raw)
            }
        }
    }

    /// Begins a connection; it is made, or failed, when epoll says that the socket can be written.
    /// - Parameter source: the address of this machine that it comes from; nil: the kernel's choice.
    public static func connect(
        _ address: SocketAddress, _ options: SocketOptions = SocketOptions(), from source: IPAddress? = nil
    ) throws(Errno) -> OwnedFD {
        let family = address.ip.isV4 ? AF_INET : AF_INET6
        let raw = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw Errno(errno) }
        let fd = OwnedFD(adopting: raw)
        set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        if !options.isEmpty { options.apply(to: raw) }
        if let source, withSockaddr(SocketAddress(ip: source, port: 0), { bind(raw, $0, $1) }) != 0 {
            throw Errno(errno)
        }
        if withSockaddr(address, { Glibc.connect(raw, $0, $1) }) != 0, errno != EINPROGRESS { throw Errno(errno) }
        return fd
    }

    /// A socket that sends datagrams to, and takes them from, one address alone.
    public static func connectDatagrams(_ address: SocketAddress) throws(Errno) -> OwnedFD {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let raw = socket(address.ip.isV4 ? AF_INET : AF_INET6, type, 0)
        guard raw >= 0 else { throw Errno(errno) }
        let fd = OwnedFD(adopting: raw)
        guard withSockaddr(address, { Glibc.connect(raw, $0, $1) }) == 0 else { throw Errno(errno) }
        return fd
    }

    /// Whether an address is one of this machine's: the kernel would call it from itself (ip-route(8), table local).
    public static func isOfThisMachine(_ ip: IPAddress) -> Bool {
        if ip.isLoopback { return true }
        // Nothing is sent; of the port nothing depends.
        guard let fd = try? connectDatagrams(SocketAddress(ip: ip, port: 9)) else { return false }
        return localAddress(fd.raw)?.ip == ip
    }

    /// What became of `connect`, or what error waits on the socket (SO_ERROR); nil: none.
    public static func pendingError(_ fd: CInt) -> Errno? {
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : Errno(code)
    }

    /// Sends what the kernel holds back after a write with MSG_MORE: setting TCP_NODELAY, set as it is, pushes (tcp(7)).
    public static func push(_ fd: CInt) { set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    /// No more octets will be sent; the peer reads end of file (shutdown(2)).
    public static func shutdownWrite(_ fd: CInt) { Glibc.shutdown(fd, Int32(SHUT_WR)) }

    /// Closing will send a reset instead of lingering.
    public static func resetOnClose(_ fd: CInt) {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    static func set(_ fd: CInt, _ level: CInt, _ option: CInt, _ value: CInt) {
        var copy = value
        setsockopt(fd, level, option, &copy, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Lends the address in the kernel's form.
    public static func withAddress<R>(
        _ address: SocketAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R { withSockaddr(address, body) }

    static func withSockaddr<R>(_ address: SocketAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        if address.ip.isV4 {
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = address.port.bigEndian
            v4.sin_addr.s_addr = address.ip.v4.bigEndian
            return withUnsafePointer(to: &v4) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        v6.sin6_port = address.port.bigEndian
        withUnsafeMutableBytes(of: &v6.sin6_addr) {
            $0.storeBytes(of: address.ip.high.bigEndian, toByteOffset: 0, as: UInt64.self)
            $0.storeBytes(of: address.ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return withUnsafePointer(to: &v6) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    static func read(_ address: UnsafePointer<sockaddr>) -> SocketAddress? {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                let v4 = UInt32(bigEndian: $0.pointee.sin_addr.s_addr)
                return SocketAddress(
                    ip: IPAddress(high: 0, low: 0xFFFF_0000_0000 | UInt64(v4)),
                    port: UInt16(bigEndian: $0.pointee.sin_port))
            }
        case AF_INET6:
            return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                let ip = withUnsafeBytes(of: pointer.pointee.sin6_addr) {
                    IPAddress(
                        high: UInt64(bigEndian: $0.load(fromByteOffset: 0, as: UInt64.self)),
                        low: UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self)))
                }
                return SocketAddress(ip: ip, port: UInt16(bigEndian: pointer.pointee.sin6_port))
            }
        default:
            return nil
        }
    }
}
