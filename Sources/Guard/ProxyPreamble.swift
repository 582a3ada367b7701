import Core
import Glibc
import IO

/// The PROXY header, version 2, by which a central gateway learns of a relayed connection's addresses (HAProxy's
/// proxy-protocol.txt, 2.2).
enum ProxyPreamble {
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// - Parameters:
    ///   - source: the client's.
    ///   - destination: where it meant to go.
    static func make(source: SocketAddress, destination: SocketAddress) -> [UInt8] {
        let isV4 = source.ip.isV4 && destination.ip.isV4
        var octets = signature
        octets.append(0x21)  // Version 2, PROXY.
        octets.append(isV4 ? 0x11 : 0x21)  // TCP over IPv4, or IPv6.
        octets += [0, isV4 ? 12 : 36]
        for ip in [source.ip, destination.ip] { for place in (isV4 ? 12 : 0)..<16 { octets.append(ip.octet(place)) } }
        for port in [source.port, destination.port] { octets += [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)] }
        return octets
    }

    /// Where the client of an accepted connection meant to go: before a REDIRECT, where there was one (SO_ORIGINAL_DST);
    /// else where the connection arrived, which is the same for TPROXY.
    static func destination(of fd: CInt) -> SocketAddress? {
        let arrived = Socket.localAddress(fd)
        // linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h.
        let original: CInt = 80
        if arrived?.ip.isV4 != false {
            var v4 = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            guard getsockopt(fd, Int32(IPPROTO_IP), original, &v4, &length) == 0 else { return arrived }
            let ip = UInt32(bigEndian: v4.sin_addr.s_addr)
            return SocketAddress(
                ip: IPAddress(high: 0, low: 0xFFFF_0000_0000 | UInt64(ip)), port: UInt16(bigEndian: v4.sin_port))
        }
        var v6 = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        guard getsockopt(fd, Int32(IPPROTO_IPV6), original, &v6, &length) == 0 else { return arrived }
        let ip = withUnsafeBytes(of: v6.sin6_addr) {
            IPAddress(
                high: UInt64(bigEndian: $0.load(fromByteOffset: 0, as: UInt64.self)),
                low: UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self)))
        }
        return SocketAddress(ip: ip, port: UInt16(bigEndian: v6.sin6_port))
    }
}
