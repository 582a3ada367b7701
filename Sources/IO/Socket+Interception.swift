import Core
import Glibc

/// Connections that were meant for somebody else, and that the kernel's rules have brought here.
extension Socket {
    // Of <linux/netfilter_ipv4.h>, <linux/netfilter_ipv6/ip6_tables.h> and <linux/in.h>, which Swift's Glibc lacks.
    private static let originalDestinationOption: CInt = 80
    private static let transparentV4: CInt = 19
    private static let transparentV6: CInt = 75

    /// Where a redirected connection was going (SO_ORIGINAL_DST): what connection tracking remembers of it.
    /// - Returns: nil when nothing is remembered: the connection was not redirected, or tracking is off. A connection that
    ///   is tracked and was not redirected was going to the address that it has come to.
    public static func originalDestination(_ fd: CInt, isV4: Bool) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let level = isV4 ? Int32(IPPROTO_IP) : Int32(IPPROTO_IPV6)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            guard getsockopt(fd, level, originalDestinationOption, pointer, &length) == 0 else { return nil }
            return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { read($0) }
        }
    }

    /// Lets a listening socket take connections to addresses that are not this machine's (IP_TRANSPARENT, for TPROXY), or
    /// lets it do so no more. Any time after it was made will do.
    /// - Throws: EPERM without CAP_NET_ADMIN and CAP_NET_RAW.
    public static func setTransparent(_ fd: CInt, _ isOn: Bool, isV4: Bool) throws(Errno) {
        var value: CInt = isOn ? 1 : 0
        let result =
            isV4
            ? setsockopt(fd, Int32(IPPROTO_IP), transparentV4, &value, socklen_t(MemoryLayout<CInt>.size))
            : setsockopt(fd, Int32(IPPROTO_IPV6), transparentV6, &value, socklen_t(MemoryLayout<CInt>.size))
        guard result == 0 else { throw Errno(errno) }
    }
}
