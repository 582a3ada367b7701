import Core
import Glibc

/// The addresses that sockets of this host can listen on, for telling without binding anything.
///
/// A route that declares a whole network local (ip-route(8), `local`) is not seen, except 127.0.0.0/8, which every host
/// has.
public struct HostAddresses {
    private let own: Set<IPAddress>
    /// Whether any address may be bound, as those who move addresses between hosts have it (`ip_nonlocal_bind`).
    private let anyV4: Bool
    private let anyV6: Bool
    private let hasV6: Bool

    /// Asks the kernel for the addresses of the interfaces (getifaddrs(3)) and for the settings.
    /// - Throws: what getifaddrs(3) left.
    public init() throws(Errno) {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { throw Errno(errno) }
        defer { freeifaddrs(first) }
        var own = Set<IPAddress>()
        var next = first
        while let entry = next {
            if let address = entry.pointee.ifa_addr, let known = Socket.read(address) { own.insert(known.ip) }
            next = entry.pointee.ifa_next
        }
        self.init(
            own: own, anyV4: Self.isSet("/proc/sys/net/ipv4/ip_nonlocal_bind"),
            anyV6: Self.isSet("/proc/sys/net/ipv6/ip_nonlocal_bind"), hasV6: Socket.hasIPv6)
    }

    init(own: Set<IPAddress>, anyV4: Bool = false, anyV6: Bool = false, hasV6: Bool = true) {
        self.own = own
        self.anyV4 = anyV4
        self.anyV6 = anyV6
        self.hasV6 = hasV6
    }

    /// Whether it is an address of one of the interfaces, or a loopback address.
    public func isOwn(_ ip: IPAddress) -> Bool { ip.isLoopback || own.contains(ip) }

    /// Why bind(2) would refuse this address on any port; nil: it would not.
    public func refusal(of ip: IPAddress) -> Errno? {
        if ip.isAny { return nil }
        if ip.isV4 { return ip.isLoopback || anyV4 || own.contains(ip) ? nil : Errno(EADDRNOTAVAIL) }
        guard hasV6 else { return Errno(EAFNOSUPPORT) }
        // fe80::/10 means something only together with an interface, which a manifest cannot name (ipv6(7)).
        if ip.high >> 54 == 0xFE80 >> 6 { return Errno(EINVAL) }
        return anyV6 || own.contains(ip) ? nil : Errno(EADDRNOTAVAIL)
    }

    private static func isSet(_ path: String) -> Bool {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        var first: UInt8 = 0
        return read(fd, &first, 1) == 1 && first != 0x30
    }
}
