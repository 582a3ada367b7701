import Glibc

/// What the kernel is told of a TCP connection before it is made (tcp(7), socket(7)). Initial values: nothing.
public struct SocketOptions: Equatable, BitwiseCopyable, Sendable {
    /// Octets in the kernel, each way; the kernel doubles it for its own bookkeeping. 0: as it thinks right.
    public var buffer: CInt = 0
    /// Silent peers are asked whether they are there.
    public var keepsAlive = false
    /// Seconds; 0: the kernel's.
    public var keepaliveIdle: CInt = 0
    public var keepaliveInterval: CInt = 0
    public var keepaliveProbes: CInt = 0

    public init() {}

    var isEmpty: Bool { self == SocketOptions() }

    func apply(to fd: CInt) {
        if buffer > 0 {
            Socket.set(fd, SOL_SOCKET, SO_SNDBUF, buffer)
            Socket.set(fd, SOL_SOCKET, SO_RCVBUF, buffer)
        }
        guard keepsAlive else { return }
        Socket.set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        if keepaliveIdle > 0 { Socket.set(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, keepaliveIdle) }
        if keepaliveInterval > 0 { Socket.set(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, keepaliveInterval) }
        if keepaliveProbes > 0 { Socket.set(fd, Int32(IPPROTO_TCP), TCP_KEEPCNT, keepaliveProbes) }
    }
}
