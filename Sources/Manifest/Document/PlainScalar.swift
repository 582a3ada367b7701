import Core

/// What an unquoted scalar is. Kubernetes reads YAML 1.1 (sigs.k8s.io/yaml): `yes`, `on` and their like are booleans,
/// a leading zero means octal, underscores may stand between digits.
enum PlainScalar {
    static func kind(of text: ByteView) -> NodeKind {
        guard text.count > 0 else { return .null }
        switch text[0] {
        case 0x30...0x39, 0x2B, 0x2D:  // digits, '+', '-'
            return numberKind(text)
        case ASCII.dot:
            if isNamedFloat(text) || isFloat(text) { return .float }
            return .string
        case 0x7E:  // '~'
            return text.count == 1 ? .null : .string
        case 0x79, 0x59, 0x6E, 0x4E, 0x74, 0x54, 0x66, 0x46, 0x6F, 0x4F:  // y n t f o
            if text.count > 5 { return .string }
            if isNull(text) { return .null }
            return boolean(text) == nil ? .string : .boolean
        default:
            return .string
        }
    }

    /// The value of a boolean as YAML 1.1 spells it (lower case, upper case, or capitalised), else nil.
    static func boolean(_ text: ByteView) -> Bool? {
        guard hasOneCase(text) else { return nil }
        for word: StaticString in ["true", "yes", "on", "y"] where text.equalsIgnoringCase(word) { return true }
        for word: StaticString in ["false", "no", "off", "n"] where text.equalsIgnoringCase(word) { return false }
        return nil
    }

    /// The integer that `text` stands for; nil when it is none or does not fit 64 bits.
    static func integer(_ text: ByteView) -> Int64? {
        var at = 0
        var negative = false
        if at < text.count, text[at] == 0x2B || text[at] == 0x2D {
            negative = text[at] == 0x2D
            at += 1
        }
        var radix: Int64 = 10
        if at + 1 < text.count, text[at] == 0x30 {
            switch text[at + 1] | 0x20 {
            case 0x78: (radix, at) = (16, at + 2)  // 0x
            case 0x6F: (radix, at) = (8, at + 2)  // 0o
            case 0x62: (radix, at) = (2, at + 2)  // 0b
            default: (radix, at) = (8, at + 1)
            }
        }
        var value: Int64 = 0
        var digits = 0
        while at < text.count {
            let byte = text[at]
            at += 1
            if byte == 0x5F { continue }
            guard let digit = ASCII.hexValue(byte), digit < radix else { return nil }
            let (scaled, o1) = value.multipliedReportingOverflow(by: radix)
            let (sum, o2) =
                negative
                ? scaled.subtractingReportingOverflow(Int64(digit)) : scaled.addingReportingOverflow(Int64(digit))
            if o1 || o2 { return nil }
            value = sum
            digits += 1
        }
        return digits > 0 ? value : nil
    }

    private static func numberKind(_ text: ByteView) -> NodeKind {
        // The usual case first: a short run of decimal digits.
        if text.count <= 18, text[0] != 0x30 || text.count == 1 {
            var isDecimal = true
            for index in text.indices where !ASCII.isDigit(text[index]) {
                isDecimal = false
                break
            }
            if isDecimal { return .integer }
        }
        if isInteger(text) { return .integer }
        return isFloat(text) || isNamedFloat(text) ? .float : .string
    }

    /// An integer of any size.
    private static func isInteger(_ text: ByteView) -> Bool {
        if integer(text) != nil { return true }
        var at = text[0] == 0x2B || text[0] == 0x2D ? 1 : 0
        guard at < text.count, text[at] != 0x30 else { return false }
        var digits = 0
        while at < text.count {
            if text[at] != 0x5F {
                guard ASCII.isDigit(text[at]) else { return false }
                digits += 1
            }
            at += 1
        }
        return digits > 0
    }

    /// Digits with at most one point and an exponent, underscores left out.
    private static func isFloat(_ text: ByteView) -> Bool {
        var at = 0
        func peek() -> UInt8 {
            while at < text.count, text[at] == 0x5F { at += 1 }
            return at < text.count ? text[at] : 0
        }
        func digits() -> Int {
            var count = 0
            while ASCII.isDigit(peek()) {
                at += 1
                count += 1
            }
            return count
        }
        if peek() == 0x2B || peek() == 0x2D { at += 1 }
        var significant = digits()
        if peek() == ASCII.dot {
            at += 1
            significant += digits()
        }
        guard significant > 0 else { return false }
        if peek() | 0x20 == 0x65 {
            at += 1
            if peek() == 0x2B || peek() == 0x2D { at += 1 }
            guard digits() > 0 else { return false }
        }
        _ = peek()
        return at == text.count
    }

    private static func isNamedFloat(_ text: ByteView) -> Bool {
        let signed = text[0] == 0x2B || text[0] == 0x2D
        let rest = text.from(signed ? 1 : 0)
        for name: StaticString in [".inf", ".Inf", ".INF"] where rest.equals(name) { return true }
        guard !signed else { return false }
        for name: StaticString in [".nan", ".NaN", ".NAN"] where rest.equals(name) { return true }
        return false
    }

    private static func isNull(_ text: ByteView) -> Bool {
        text.equals("null") || text.equals("Null") || text.equals("NULL")
    }

    /// `word`, `Word` or `WORD`, but not `wOrd`.
    private static func hasOneCase(_ text: ByteView) -> Bool {
        guard text.count > 1 else { return text.count == 1 }
        let restIsLower = text[1] & 0x20 != 0
        for index in 2..<max(2, text.count) where (text[index] & 0x20 != 0) != restIsLower { return false }
        return restIsLower || text[0] & 0x20 == 0
    }
}
