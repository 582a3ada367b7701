import Core

/// A host and a port, as a Host field, an absolute target or CONNECT carries them. A value that exists is legal.
public struct Authority: Equatable, BitwiseCopyable, Sendable {
    /// Octets of the host, brackets of an IPv6 literal included, a final dot excluded: `example.com.` is `example.com`
    /// to the matcher, as with nginx; what is forwarded keeps it.
    public var hostLength: Int
    public var port: UInt16?

    /// Octets of a name with its final dot (RFC 1035, section 2.3.4).
    public static let maximumNameOctets = 254

    /// Reads `name`, `name:port`, `[IPv6]`, `[IPv6]:port`; nil when it is none of them. Stricter than RFC 3986's
    /// reg-name on purpose: letters, digits, `-._~` and no empty label. Percent-encoding and sub-delims are no part of
    /// any name that a listener or route can have, and `,` or `@` in a host have fooled parsers. A port is 1–65535; an
    /// empty one, which RFC 3986 would allow, is refused.
    public init?(_ text: ByteView) { self.init(text, readable: text.count) }

    /// - Parameter readable: octets that may be read from the text's first on: with those behind the text, a short
    ///   host is checked in one step.
    init?(_ text: ByteView, readable: Int) {
        guard let p = text.base, text.count > 0 else { return nil }
        var at = 0
        if p[0] == 0x5B {
            guard let close = text.firstIndex(of: 0x5D), Self.isIPv6(text[1..<close]) else { return nil }
            at = close + 1
            hostLength = at
        } else {
            // Plain names end here, usually at the very end; a leading dot is left to the loop.
            if p[0] != ASCII.dot { at = min(OctetScan.endOfPlainName(p, 0, readable), text.count) }
            var labelStart = at > 0 && p[at - 1] == ASCII.dot ? at : 0
            while at < text.count, p[at] != ASCII.colon {
                if p[at] == ASCII.dot {
                    guard at > labelStart else { return nil }
                    labelStart = at + 1
                } else if !OctetScan.isUnreserved(p[at]) {
                    return nil
                }
                at += 1
            }
            guard at > 0, at <= Self.maximumNameOctets else { return nil }
            hostLength = labelStart == at ? at - 1 : at
        }
        if at == text.count { return }
        guard p[at] == ASCII.colon else { return nil }
        let digits = text.from(at + 1)
        guard digits.count <= 5, let number = digits.decimal, number >= 1, number <= 65535 else { return nil }
        port = UInt16(number)
    }

    /// RFC 3986, section 3.2.2, `IPv6address`; no zone. Allocates nothing.
    static func isIPv6(_ text: ByteView) -> Bool {
        var groups = 0
        var hasGap = false
        var at = 0
        if text.count >= 2, text[0] == ASCII.colon, text[1] == ASCII.colon {
            hasGap = true
            at = 2
        }
        while at < text.count {
            let stop = text.firstIndex(of: ASCII.colon, from: at) ?? text.count
            let group = text[at..<stop]
            if group.firstIndex(of: ASCII.dot) != nil {
                guard stop == text.count, groups > 0 || hasGap, isIPv4(group) else { return false }
                groups += 2
                return hasGap ? groups < 8 : groups == 8
            }
            guard group.count >= 1, group.count <= 4 else { return false }
            for i in group.indices where ASCII.hexValue(group[i]) == nil { return false }
            groups += 1
            at = stop
            if at == text.count { break }
            at += 1
            if at == text.count { return false }
            if text[at] == ASCII.colon {
                if hasGap { return false }
                hasGap = true
                at += 1
            }
        }
        return hasGap ? groups < 8 : groups == 8
    }

    private static func isIPv4(_ text: ByteView) -> Bool {
        var octets = 0
        var at = 0
        while true {
            let stop = text.firstIndex(of: ASCII.dot, from: at) ?? text.count
            let part = text[at..<stop]
            guard part.count >= 1, part.count <= 3, part.count == 1 || part[0] != 0x30, let value = part.decimal,
                value <= 255
            else { return false }
            octets += 1
            if stop == text.count { return octets == 4 }
            if octets == 4 { return false }
            at = stop + 1
        }
    }
}
