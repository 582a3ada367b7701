import Core
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
        return Socket.originalDestination(fd, isV4: arrived?.ip.isV4 ?? true) ?? arrived
    }
}
