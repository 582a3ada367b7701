import Glibc

/// Options of connected sockets that policies ask for. What cannot be set stays as it is.
extension Socket {
    /// Asks a silent peer now and then whether it is there (tcp(7)). Zero: as the system has it.
    /// - Parameters:
    ///   - probes: unanswered ones until the connection counts as lost.
    ///   - idleTime: seconds of silence before the first; `interval` those between two.
    public static func keepAlive(_ fd: CInt, probes: UInt32, idleTime: UInt32, interval: UInt32) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        if probes > 0 { set(fd, Int32(IPPROTO_TCP), TCP_KEEPCNT, CInt(clamping: probes)) }
        if idleTime > 0 { set(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, CInt(clamping: idleTime)) }
        if interval > 0 { set(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, CInt(clamping: interval)) }
    }

    /// Octets that the kernel may hold each way; it doubles the number for its own needs (socket(7)).
    public static func boundBuffers(_ fd: CInt, octets: UInt32) {
        set(fd, SOL_SOCKET, SO_RCVBUF, CInt(clamping: octets))
        set(fd, SOL_SOCKET, SO_SNDBUF, CInt(clamping: octets))
    }
}
