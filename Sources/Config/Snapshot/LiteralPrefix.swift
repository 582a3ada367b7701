import Core

/// The text that every value an expression matches must begin with, so that most paths are told apart from most expressions
/// by comparing a few octets, without running them.
enum LiteralPrefix {
    /// Octets at the start of `expression` that stand for themselves. When in doubt fewer, down to none: an expression that
    /// is alternatives at its top, quotes (`\Q`) or has comments (`(?#`) gives none.
    static func of(_ expression: ByteView) -> ByteView {
        guard !hasTopLevelAlternative(expression) else { return .empty }
        let start = expression.count > 0 && expression[0] == UInt8(ascii: "^") ? 1 : 0
        var end = start
        while end < expression.count, isLiteral(expression[end]) { end += 1 }
        // A quantifier makes the octet before it optional, or repeated.
        if end < expression.count, end > start, isQuantifier(expression[end]) { end -= 1 }
        return expression[start..<end]
    }

    private static func isLiteral(_ byte: UInt8) -> Bool {
        ASCII.isAlpha(byte) || ASCII.isDigit(byte) || byte == ASCII.slash || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
    }

    private static func isQuantifier(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "*") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "{")
    }

    private static func hasTopLevelAlternative(_ expression: ByteView) -> Bool {
        var depth = 0
        var index = 0
        while index < expression.count {
            let byte = expression[index]
            let next = index + 1 < expression.count ? expression[index + 1] : 0
            switch byte {
            case UInt8(ascii: "\\"):
                if next == UInt8(ascii: "Q") { return true }
                index += 1
            case UInt8(ascii: "["): index = endOfClass(expression, from: index)
            case UInt8(ascii: "("):
                if next == ASCII.question, index + 2 < expression.count, expression[index + 2] == UInt8(ascii: "#") {
                    return true
                }
                depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "|"): if depth <= 0 { return true }
            default: break
            }
            index += 1
        }
        return false
    }

    /// The index of the bracket that closes a class. A bracket right after the opening one (or its `^`) is a member.
    private static func endOfClass(_ expression: ByteView, from open: Int) -> Int {
        var index = open + 1
        if index < expression.count, expression[index] == UInt8(ascii: "^") { index += 1 }
        if index < expression.count, expression[index] == UInt8(ascii: "]") { index += 1 }
        while index < expression.count, expression[index] != UInt8(ascii: "]") {
            if expression[index] == UInt8(ascii: "\\") {
                // Inside a class a quotation could hide its end.
                if index + 1 < expression.count, expression[index + 1] == UInt8(ascii: "Q") { return index - 1 }
                index += 1
            }
            index += 1
        }
        return index
    }
}
