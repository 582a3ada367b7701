/// An IPv4 or IPv6 address, in one fixed 16-octet form. IPv4 is kept as an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2).
public struct IPAddress: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Network order: `high` holds octets 0–7, `low` octets 8–15, each as a big-endian number.
    public var high: UInt64
    public var low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    @inlinable public init(v4 a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        high = 0
        low = 0xFFFF_0000_0000 | UInt64(a) << 24 | UInt64(b) << 16 | UInt64(c) << 8 | UInt64(d)
    }

    /// `::`, which stands for every address of the host, IPv4 included.
    @inlinable public static var any: IPAddress { IPAddress(high: 0, low: 0) }
    @inlinable public static func < (a: IPAddress, b: IPAddress) -> Bool {
        a.high != b.high ? a.high < b.high : a.low < b.low
    }
    @inlinable public var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }
    @inlinable public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
    @inlinable public var isAny: Bool { high == 0 && (low == 0 || low == 0xFFFF_0000_0000) }
    @inlinable public var isLoopback: Bool { isV4 ? v4 >> 24 == 127 : (high == 0 && low == 1) }

    @inlinable public func octet(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < 16)
        return UInt8(truncatingIfNeeded: (index < 8 ? high : low) >> UInt64(8 * (7 - index & 7)))
    }

    /// Reads the textual form, without brackets or zone. Nil when it is no address. Strict: `1.2.3`, `01.2.3.4` are none.
    public init?(_ text: ByteView) {
        if text.firstIndex(of: ASCII.colon) == nil {
            guard let v4 = Self.parseV4(text) else { return nil }
            self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(v4))
            return
        }
        var groups: [UInt16] = []
        var gap: Int?
        var at = 0
        if text.count >= 2, text[0] == ASCII.colon, text[1] == ASCII.colon {
            gap = 0
            at = 2
        }
        while at < text.count {
            guard groups.count < 8 else { return nil }
            let stop = text.firstIndex(of: ASCII.colon, from: at) ?? text.count
            let group = text[at..<stop]
            if group.firstIndex(of: ASCII.dot) != nil {
                guard stop == text.count, groups.count <= 6, let v4 = Self.parseV4(group) else { return nil }
                groups.append(UInt16(v4 >> 16))
                groups.append(UInt16(truncatingIfNeeded: v4))
                at = stop
                break
            }
            guard (1...4).contains(group.count) else { return nil }
            var value: UInt16 = 0
            for i in group.indices {
                guard let digit = ASCII.hexValue(group[i]) else { return nil }
                value = value << 4 | UInt16(digit)
            }
            groups.append(value)
            at = stop
            guard at < text.count else { break }
            at += 1
            if at < text.count, text[at] == ASCII.colon {
                guard gap == nil else { return nil }
                gap = groups.count
                at += 1
            } else if at == text.count {
                return nil
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        let high = groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
        let low = groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
        self.init(high: high, low: low)
    }

    public init?(_ text: String) {
        guard let address = text.withView({ IPAddress($0) }) else { return nil }
        self = address
    }

    private static func parseV4(_ text: ByteView) -> UInt32? {
        var value: UInt32 = 0
        var octets = 0
        var at = 0
        while true {
            let stop = text.firstIndex(of: ASCII.dot, from: at) ?? text.count
            let part = text[at..<stop]
            guard part.count <= 3, part.count == 1 || part.isEmpty || part[0] != 0x30,
                let octet = part.decimal, octet <= 255
            else { return nil }
            value = value << 8 | UInt32(octet)
            octets += 1
            if stop == text.count { break }
            guard octets < 4 else { return nil }
            at = stop + 1
        }
        return octets == 4 ? value : nil
    }
}

extension IPAddress {
    /// Appends the textual form (RFC 5952), without brackets. Allocates nothing.
    public func write(to buffer: inout ByteBuffer) {
        if isV4 {
            for index in 12..<16 {
                if index > 12 { buffer.append(byte: ASCII.dot) }
                buffer.append(decimal: UInt64(octet(index)))
            }
            return
        }
        func group(_ i: Int) -> UInt64 { (i < 4 ? high : low) >> UInt64(16 * (3 - i & 3)) & 0xFFFF }
        // The longest run of two or more zero groups becomes "::"; of equal runs the first (RFC 5952, 4.2.3).
        var best = (start: -1, length: 1)
        var i = 0
        while i < 8 {
            var j = i
            while j < 8, group(j) == 0 { j += 1 }
            if j - i > best.length { best = (i, j - i) }
            i = max(j, i + 1)
        }
        i = 0
        while i < 8 {
            if i == best.start {
                buffer.append("::")
                i += best.length
                continue
            }
            if i > 0, i != best.start + best.length || best.start < 0 { buffer.append(byte: ASCII.colon) }
            buffer.append(hex: group(i))
            i += 1
        }
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer.view.string
    }
}

/// An address and a port: where to listen, or whom to call.
public struct SocketAddress: Hashable, BitwiseCopyable, Sendable, CustomStringConvertible {
    public var ip: IPAddress
    public var port: UInt16

    @inlinable public init(ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// Reads `1.2.3.4:80`, `[::1]:80`. Nil when either part is missing or wrong.
    public init?(_ text: String) {
        let found: SocketAddress? = text.withView { view in
            guard let colon = view.lastIndex(of: ASCII.colon), let port = view.from(colon + 1).decimal, port <= 65535
            else { return nil }
            var host = view.upTo(colon)
            if host.count >= 2, host[0] == 0x5B, host[host.count - 1] == 0x5D {
                host = host[1..<(host.count - 1)]
            } else if host.firstIndex(of: ASCII.colon) != nil {
                return nil
            }
            return IPAddress(host).map { SocketAddress(ip: $0, port: UInt16(port)) }
        }
        guard let found else { return nil }
        self = found
    }

    /// `1.2.3.4:80`, `[::1]:80`. Allocates nothing.
    public func write(to buffer: inout ByteBuffer) {
        if ip.isV4 {
            ip.write(to: &buffer)
        } else {
            buffer.append(byte: 0x5B)
            ip.write(to: &buffer)
            buffer.append(byte: 0x5D)
        }
        buffer.append(byte: ASCII.colon)
        buffer.append(decimal: UInt64(port))
    }

    public var description: String {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer.view.string
    }
}

/// What carries the octets of a socket.
public enum SocketTransport: UInt8, BitwiseCopyable, Sendable { case tcp, udp }

/// Where to listen, and by what: a TCP and a UDP socket may have the same address and port.
///
/// Two are equal whether or not they are transparent: that is told to a socket, it makes no other one.
public struct ListeningAddress: Hashable, BitwiseCopyable, Sendable, CustomStringConvertible {
    public var transport: SocketTransport
    public var address: SocketAddress
    /// Connections to addresses of others are taken here, too (ip(7), IP_TRANSPARENT).
    public var isTransparent: Bool

    @inlinable public init(_ transport: SocketTransport, _ address: SocketAddress, isTransparent: Bool = false) {
        self.transport = transport
        self.address = address
        self.isTransparent = isTransparent
    }

    @inlinable public static func == (a: Self, b: Self) -> Bool {
        a.transport == b.transport && a.address == b.address
    }

    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(transport)
        hasher.combine(address)
    }

    /// `1.2.3.4:80`, `[::1]:53/udp`.
    public var description: String {
        switch transport {
        case .tcp: address.description
        case .udp: address.description + "/udp"
        }
    }
}
