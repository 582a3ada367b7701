import Core

/// What texts of Envoy Gateway's kinds must look like, where Gateway API has no such text.
extension TextFormat {
    /// Octets, as Kubernetes counts memory: digits without a zero in front, and a unit.
    static let quantity = TextFormat(
        description: "a number of octets: digits that do not begin with 0, with Ki, Mi, Gi, k, M or G behind at most",
        matches: { text in
            guard !text.isEmpty, text[0] != 0x30 else { return false }
            var digits = 0
            while digits < text.count, ASCII.isDigit(text[digits]) { digits += 1 }
            let unit = text.from(digits)
            guard digits > 0 else { return false }
            let units: [StaticString] = ["", "E", "P", "T", "G", "M", "k", "Ei", "Pi", "Ti", "Gi", "Mi", "Ki"]
            return units.contains { unit.equals($0) }
        })

    /// A DNS name that may end with the root's dot.
    static let endpointHostname = TextFormat(
        description:
            "a host name: lower-case letters, digits, '-' and '.', each part with a letter or digit at both ends",
        matches: { TextFormat.isSubdomain($0.hasSuffix(ByteView(".")) ? $0.upTo($0.count - 1) : $0) })

    /// The forms that the schema takes are fewer than there are: of a shortened IPv6 address, at most five groups before
    /// `::` and two behind, and at least one before. What it refuses an API server refuses too.
    static let endpointAddress = TextFormat(
        description: """
            an IP address in a form that the schema takes: '10.0.0.1', eight groups, or '::' with a group before it and \
            at most two behind, such as '2001:db8::1'
            """,
        matches: { isDottedAddress($0) || isFullOrShortened($0) })

    /// An address, a slash and digits; what stands around them is not looked at.
    static let addressRange = TextFormat(
        description: "a range of addresses, such as '10.0.0.0/8' or '2001:db8::/32'",
        matches: { text in
            for slash in text.indices where text[slash] == ASCII.slash {
                guard slash + 1 < text.count, ASCII.isDigit(text[slash + 1]) else { continue }
                let address = text.upTo(slash)
                if endsWithDottedAddress(address) || endsWithGroups(address) || endsWithZone(address) { return true }
            }
            return false
        })

    /// As a CORS origin, of any scheme and with `_` in names.
    static let anyOrigin = TextFormat(
        description: "an origin: '*', or a scheme and a host such as 'https://*.example.com:8443'",
        matches: { text in
            if text.equals("*") { return true }
            guard let colon = text.firstIndex(of: ASCII.colon), colon > 0, ASCII.isAlpha(text[0]),
                text.from(colon).hasPrefix(ByteView("://"))
            else { return false }
            let isScheme = text.upTo(colon).allSatisfy {
                isAlphanumeric($0) || $0 == 0x2B || $0 == ASCII.dot || $0 == 0x2D
            }
            return isScheme && FilterRules.isOriginHost(text.from(colon + 3), alsoWith: 0x5F)
        })

    static let oneLine = TextFormat(
        description: "one line: without line ends and NUL",
        matches: { $0.allSatisfy { $0 != ASCII.lf && $0 != ASCII.cr && $0 != 0 } })

    static let lettersDigitsHyphens = TextFormat(
        description: "letters, digits and '-' only",
        matches: { !$0.isEmpty && $0.allSatisfy { isAlphanumeric($0) || $0 == 0x2D } })

    static let countryCode = TextFormat(
        description: "a country's two letters (ISO 3166-1), such as 'NL'",
        matches: { $0.count == 2 && $0.allSatisfy(ASCII.isAlpha) })

    static let moduleName = TextFormat(
        description: "a module's name: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
        matches: { text in
            guard !text.isEmpty, isLabel(text, 0, 1), isLabel(text, text.count - 1, text.count) else { return false }
            return text.allSatisfy { isLowerAlphanumeric($0) || $0 == 0x2D || $0 == ASCII.dot }
        })

    /// Octets in base64 as a schema's `format: byte` wants them: not empty, padded, on one line.
    static let base64Line = TextFormat(
        description: "base64 (RFC 4648): groups of four characters, padded with '='",
        matches: { text in
            !text.isEmpty && isBase64(text) && text.count % 4 == 0 && oneLine.matches(text)
        })

    static let wellKnownAuthorities = TextFormat(
        description: "a set of CA certificates: 'System', or a name of one's own such as 'example.com/set'",
        matches: { text in
            if text.equals("System") { return true }
            return text.firstIndex(of: ASCII.slash) != nil && TextFormat.isQualifiedName(text)
        })

    // MARK: IPv4

    /// One to three digits, at most 255; zeros may stand in front.
    private static func isDecimalOctet(_ text: ByteView) -> Bool {
        (1...3).contains(text.count) && text.allSatisfy(ASCII.isDigit) && text.decimal.map { $0 <= 255 } == true
    }

    private static func isDottedAddress(_ text: ByteView) -> Bool {
        guard let dot = text.firstIndex(of: ASCII.dot) else { return false }
        return isDecimalOctet(text.upTo(dot)) && endsWithDottedAddress(text)
            && text.indices.lazy.filter { text[$0] == ASCII.dot }.count == 3
    }

    /// Three whole octets at the end, and before them at least a digit, which is an octet too.
    private static func endsWithDottedAddress(_ text: ByteView) -> Bool {
        var rest = text
        for _ in 0..<3 {
            guard let dot = rest.lastIndex(of: ASCII.dot), isDecimalOctet(rest.from(dot + 1)) else { return false }
            rest = rest.upTo(dot)
        }
        return !rest.isEmpty && ASCII.isDigit(rest[rest.count - 1])
    }

    // MARK: IPv6

    private static func isGroup(_ text: ByteView) -> Bool {
        (1...4).contains(text.count) && text.allSatisfy { ASCII.hexValue($0) != nil }
    }

    private static func isFullOrShortened(_ text: ByteView) -> Bool {
        var parts: [ByteView] = []
        var start = 0
        for index in text.indices where text[index] == ASCII.colon {
            parts.append(text[start..<index])
            start = index + 1
        }
        parts.append(text.from(start))
        guard let gap = parts.firstIndex(where: \.isEmpty) else {
            return (2...8).contains(parts.count) && parts.allSatisfy(isGroup)
        }
        let behind = parts[(gap + 1)...]
        return gap <= 5 && (1...2).contains(behind.count) && parts[..<gap].allSatisfy(isGroup)
            && behind.allSatisfy(isGroup)
    }

    /// `::` with up to seven groups behind it, or eight groups, of which the first may have anything before it.
    private static func endsWithGroups(_ text: ByteView) -> Bool {
        var rest = text
        for found in 0...7 {
            if rest.hasSuffix(ByteView("::")) { return true }
            if found > 0 {
                guard rest.hasSuffix(ByteView(":")) else { return false }
                rest = rest.upTo(rest.count - 1)
            }
            if found == 7 { return !rest.isEmpty && ASCII.hexValue(rest[rest.count - 1]) != nil }
            guard let colon = rest.lastIndex(of: ASCII.colon), isGroup(rest.from(colon + 1)) else { return false }
            rest = rest.upTo(colon + 1)
        }
        return false
    }

    /// A link-local address with its zone: `fe80:`, up to four groups that may be empty, `%` and a name.
    private static func endsWithZone(_ text: ByteView) -> Bool {
        guard let percent = text.lastIndex(of: ASCII.percent), percent + 1 < text.count,
            text.from(percent + 1).allSatisfy(isAlphanumeric)
        else { return false }
        let address = text.upTo(percent)
        let start = ByteView("fe80:")
        for begin in address.indices where address.from(begin).hasPrefix(start) {
            let groups = address.from(begin + start.count)
            if groups.isEmpty { return true }
            guard groups[0] == ASCII.colon else { continue }
            var lengths: [Int] = []
            for byte in groups.indices.map({ groups[$0] }) {
                if byte == ASCII.colon {
                    lengths.append(0)
                } else if ASCII.hexValue(byte) != nil {
                    lengths[lengths.count - 1] += 1
                } else {
                    lengths.append(.max)
                    break
                }
            }
            if lengths.count <= 4, lengths.allSatisfy({ $0 <= 4 }) { return true }
        }
        return false
    }
}
