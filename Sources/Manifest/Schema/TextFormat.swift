import Core

/// What a text must look like: a function over its octets, and the words that tell a user.
/// Written by hand because they run on every name in every manifest; each says in full what the schemas say in regular
/// expressions.
struct TextFormat: Sendable {
    /// Completes "… is not": `a DNS label (lower-case letters, digits and '-')`.
    let description: StaticString
    let matches: @Sendable (ByteView) -> Bool
}

extension TextFormat {
    /// RFC 1123, section 2.1, as Kubernetes has it: without the bound of 63, which is the shape's.
    static let dnsLabel = TextFormat(
        description: "a DNS label: lower-case letters, digits and '-', with a letter or digit at both ends",
        matches: { isLabel($0, 0, $0.count) })

    static let dnsSubdomain = TextFormat(
        description: """
            a DNS name: lower-case letters, digits, '-' and '.', each part with a letter or digit at both ends
            """,
        matches: isSubdomain)

    /// RFC 1035: as a label, but it begins with a letter.
    static let dns1035Label = TextFormat(
        description: "a service name: lower-case letters, digits and '-', beginning with a letter",
        matches: { isLabel($0, 0, $0.count) && !ASCII.isDigit($0[0]) })

    /// A DNS name, whose first label may be `*`.
    static let hostname = TextFormat(
        description: "a host name: lower-case letters, digits, '-' and '.', with '*.' in front at most",
        matches: { isSubdomain($0.hasPrefix(ByteView("*.")) ? $0.from(2) : $0) })

    static let group = TextFormat(
        description: "an API group: empty, or a DNS name such as 'gateway.networking.k8s.io'",
        matches: { $0.isEmpty || isSubdomain($0) })

    static let kind = TextFormat(
        description: "a kind: letters, digits and '-', beginning with a letter",
        matches: { text in
            guard text.count > 0, ASCII.isAlpha(text[0]), text[text.count - 1] != 0x2D else { return false }
            return text.allSatisfy { isAlphanumeric($0) || $0 == 0x2D }
        })

    /// `example.com/name`
    static let controllerName = TextFormat(
        description: "a controller's name: a DNS name, '/' and a path, such as 'sluice.dev/gateway-controller'",
        matches: { text in
            guard let slash = text.firstIndex(of: ASCII.slash) else { return false }
            let path = text.from(slash + 1)
            return isSubdomain(text.upTo(slash)) && !path.isEmpty && path.allSatisfy(isPathOctet)
        })

    /// A token (RFC 9110, section 5.6.2).
    static let headerName = TextFormat(
        description: "a header name: letters, digits and any of !#$%&'*+-.^_`|~",
        matches: { !$0.isEmpty && $0.allSatisfy(isTokenOctet) })

    /// Visible ASCII, single blanks between.
    static let headerValue = TextFormat(
        description: "a header value: visible ASCII characters, with single spaces or tabs only between them",
        matches: { text in
            var afterBlank = true
            for index in text.indices {
                let isBlank = ASCII.isBlank(text[index])
                guard isBlank ? !afterBlank : (0x21...0x7E).contains(text[index]) else { return false }
                afterBlank = isBlank
            }
            return !afterBlank
        })

    /// Gateway API's durations (GEP-2257): `1h30m`, `100ms`.
    static let duration = TextFormat(
        description: "a duration: up to four numbers of at most five digits, each with h, m, s or ms, such as '1m30s'",
        matches: { DurationText.nanoseconds($0) != nil })

    /// The characters of a path (RFC 3986, section 3.3), percent-encoded octets included.
    static let urlPath = TextFormat(
        description: "a path: letters, digits, any of -/._~!$&'()*+,;=:@ and octets as %20",
        matches: isURLPath)

    static let labelValue = TextFormat(
        description: "a label's value: letters, digits, '-', '_' and '.', with a letter or digit at both ends",
        matches: { text in
            guard !text.isEmpty else { return true }
            return isAlphanumeric(text[0]) && isAlphanumeric(text[text.count - 1]) && text.allSatisfy(isNameOctet)
        })

    /// A label's or annotation's key: an optional DNS name and '/', then a name of up to 63 characters.
    static let qualifiedName = TextFormat(
        description: "a key: an optional DNS name with '/', then up to 63 letters, digits, '-', '_' and '.'",
        matches: { isQualifiedName($0) })

    /// RFC 3339, section 5.6.
    static let dateTime = TextFormat(
        description: "a date and time as RFC 3339 has it, such as '2026-08-21T10:00:00Z'", matches: isDateTime)

    static let base64 = TextFormat(description: "base64 (RFC 4648)", matches: isBase64)

    // MARK: the grammar, in functions

    static func isAlphanumeric(_ byte: UInt8) -> Bool { ASCII.isAlpha(byte) || ASCII.isDigit(byte) }
    private static func isNameOctet(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == 0x2D || byte == 0x5F || byte == ASCII.dot
    }
    static func isLowerAlphanumeric(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 || ASCII.isDigit(byte) }

    static func isLabel(_ text: ByteView, _ start: Int, _ end: Int) -> Bool {
        guard end > start, isLowerAlphanumeric(text[start]), isLowerAlphanumeric(text[end - 1]) else { return false }
        for index in start..<end where !isLowerAlphanumeric(text[index]) && text[index] != 0x2D { return false }
        return true
    }

    static func isSubdomain(_ text: ByteView) -> Bool {
        var start = 0
        for index in text.indices where text[index] == ASCII.dot {
            guard isLabel(text, start, index) else { return false }
            start = index + 1
        }
        return isLabel(text, start, text.count)
    }

    static func isTokenOctet(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: isAlphanumeric(byte)
        }
    }

    /// What may follow the slash of a name such as `example.com/name`.
    static func isPathOctet(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x24...0x2F, 0x3A, 0x3B, 0x3D, 0x5F, 0x7E: true
        default: isAlphanumeric(byte)
        }
    }

    static func isURLPath(_ text: ByteView) -> Bool {
        guard !text.isEmpty else { return false }
        var at = 0
        while at < text.count {
            switch text[at] {
            case ASCII.percent:
                guard at + 2 < text.count, ASCII.hexValue(text[at + 1]) != nil, ASCII.hexValue(text[at + 2]) != nil
                else { return false }
                at += 2
            case 0x40:  // '@'
                break
            case let byte:
                guard isPathOctet(byte) else { return false }
            }
            at += 1
        }
        return true
    }

    static func isQualifiedName(_ text: ByteView) -> Bool {
        var name = text
        if let slash = text.firstIndex(of: ASCII.slash) {
            let prefix = text.upTo(slash)
            guard prefix.count <= 253, isSubdomain(prefix) else { return false }
            name = text.from(slash + 1)
        }
        return (1...63).contains(name.count) && isAlphanumeric(name[0]) && isAlphanumeric(name[name.count - 1])
            && name.allSatisfy(isNameOctet)
    }

    static func isDateTime(_ text: ByteView) -> Bool {
        guard text.count >= 20 else { return false }
        func number(_ start: Int, _ digits: Int) -> Int? {
            guard start + digits <= text.count else { return nil }
            return text[start..<(start + digits)].decimal.map { Int($0) }
        }
        guard let year = number(0, 4), text[4] == 0x2D, let month = number(5, 2), text[7] == 0x2D,
            let day = number(8, 2), text[10] == 0x54, let hour = number(11, 2), text[13] == ASCII.colon,
            let minute = number(14, 2), text[16] == ASCII.colon, let second = number(17, 2),
            (1...12).contains(month), hour < 24, minute < 60, second < 60
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
        guard (1...days).contains(day) else { return false }
        var at = 19
        if text[at] == ASCII.dot {
            at += 1
            let fraction = at
            while at < text.count, ASCII.isDigit(text[at]) { at += 1 }
            guard at > fraction else { return false }
        }
        guard at < text.count else { return false }
        if text[at] == 0x5A { return at + 1 == text.count }
        guard text[at] == 0x2B || text[at] == 0x2D, text.count == at + 6, text[at + 3] == ASCII.colon,
            let hours = number(at + 1, 2), let minutes = number(at + 4, 2)
        else { return false }
        return hours < 24 && minutes < 60
    }

    static func isBase64(_ text: ByteView) -> Bool {
        var symbols = 0
        var padding = 0
        for index in text.indices {
            let byte = text[index]
            // Go's decoder, which an API server uses, passes over line ends.
            if byte == ASCII.lf || byte == ASCII.cr { continue }
            if byte == ASCII.equals {
                padding += 1
            } else {
                guard padding == 0, isAlphanumeric(byte) || byte == 0x2B || byte == ASCII.slash else { return false }
                symbols += 1
            }
        }
        return padding <= 2 && (symbols + padding) % 4 == 0
    }
}

extension ByteView {
    func allSatisfy(_ test: (UInt8) -> Bool) -> Bool {
        for index in indices where !test(self[index]) { return false }
        return true
    }

    func contains(_ part: StaticString) -> Bool { firstIndex(of: ByteView(part)) != nil }

    func firstIndex(of part: ByteView) -> Int? {
        guard part.count <= count else { return nil }
        for start in 0...(count - part.count) where self[start..<(start + part.count)].equals(part) { return start }
        return nil
    }
}
