import Core

/// An origin as `<scheme>://<host>(:<port>)` (RFC 6454, section 6.2), and what HTTPCORSFilter.allowOrigins says of it.
enum CORSOrigin {
    /// Whether an entry of `allowOrigins` allows an Origin. `*` alone allows every one, `null` too. A `*` in the host stands
    /// for any number of labels, at least one; without a port the scheme's default is meant, on either side.
    static func allows(_ allowed: ByteView, _ origin: ByteView) -> Bool {
        if allowed.equals("*") { return true }
        guard let (wantedScheme, wanted) = split(allowed), let (scheme, authority) = split(origin),
            wantedScheme.equalsIgnoringCase(scheme)
        else { return false }
        let (wantedHost, wantedPort) = hostAndPort(wanted, of: wantedScheme)
        let (host, port) = hostAndPort(authority, of: scheme)
        guard wantedPort == port, !host.isEmpty else { return false }
        guard let first = wantedHost.base?.pointee, first == star else { return wantedHost.equalsIgnoringCase(host) }
        let suffix = wantedHost.from(1)
        return host.count > suffix.count && host.from(host.count - suffix.count).equalsIgnoringCase(suffix)
    }

    private static let star: UInt8 = 0x2A

    private static func split(_ origin: ByteView) -> (scheme: ByteView, authority: ByteView)? {
        guard let colon = origin.firstIndex(of: ASCII.colon), colon > 0, origin.from(colon).hasPrefix(ByteView("://"))
        else { return nil }
        let authority = origin.from(colon + 3)
        // An origin has neither path nor userinfo; a host suffix found behind one would be nobody's.
        guard authority.firstIndex(of: ASCII.slash) == nil, authority.firstIndex(of: 0x40) == nil else { return nil }
        return (origin.upTo(colon), authority)
    }

    private static func hostAndPort(_ authority: ByteView, of scheme: ByteView) -> (ByteView, UInt64?) {
        // The colons of an IPv6 literal stand before its bracket.
        if let colon = authority.lastIndex(of: ASCII.colon), authority[authority.count - 1] != 0x5D {
            return (authority.upTo(colon), authority.from(colon + 1).decimal)
        }
        return (authority, scheme.equalsIgnoringCase("http") ? 80 : scheme.equalsIgnoringCase("https") ? 443 : nil)
    }
}
