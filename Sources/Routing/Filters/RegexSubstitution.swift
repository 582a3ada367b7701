import Core

/// What takes the place of what an expression matched: text in which `\1` to `\9` stand for groups, `\0` for the whole
/// match and `\\` for a backslash, as RE2 has it (HTTPRouteFilter, `replaceRegexMatch` and `pathRegex`).
public enum RegexSubstitution {
    public enum Outcome: Sendable {
        /// Nothing matched; nothing was written.
        case unmatched
        case replaced
        /// Too much work, or the result is too long; what was written is to be thrown away.
        case givenUp
    }

    /// Matches that are replaced in one value; each may take ``PatternMemory/matchLimit`` steps.
    public static let replacementLimit = 64
    /// Octets of a result.
    public static let resultLimit = 16 * 1024

    /// Why `substitution` cannot be used with an expression of so many groups; nil: it can.
    public static func problem(_ substitution: ByteView, groups: Int) -> String? {
        var at = 0
        while at < substitution.count {
            let octet = substitution[at]
            at += 1
            guard octet == backslash else { continue }
            guard at < substitution.count else { return "it ends in a single '\\'; write '\\\\' for a backslash" }
            let next = substitution[at]
            at += 1
            if next == backslash { continue }
            guard ASCII.isDigit(next) else {
                return
                    "'\\\(substitution[(at - 1)..<at].string)' stands for nothing; '\\1' is a group, '\\\\' a backslash"
            }
            let group = Int(next - zero)
            if group > groups {
                return "'\\\(group)' names a group that the pattern does not have; it has \(groups)"
            }
        }
        return nil
    }

    /// Appends `value` with every match replaced, from left to right, as RE2's GlobalReplace does.
    /// - Parameters:
    ///   - pattern: one that is searched for (``PCRE2Pattern/Scope/anywhere``).
    ///   - substitution: one that ``problem(_:groups:)`` has nothing against.
    public static func replaceAll(
        _ pattern: PCRE2Pattern, in value: ByteView, by substitution: ByteView, to output: inout ByteBuffer
    ) -> Outcome {
        let start = output.count
        var at = 0
        var lastEnd = -1
        var replaced = 0
        while at <= value.count {
            switch pattern.search(value, from: at) {
            case .none:
                if replaced == 0 { return .unmatched }
                output.append(value.from(at))
                return output.count - start <= resultLimit ? .replaced : .givenUp
            case .givenUp: return .givenUp
            case .found(let match):
                if match.lowerBound > at { output.append(value[at..<match.lowerBound]) }
                if match.isEmpty, match.lowerBound == lastEnd {
                    // Nothing is not found twice at one place, and not right behind a match.
                    if match.lowerBound < value.count { output.append(byte: value[match.lowerBound]) }
                    at = match.lowerBound + 1
                    continue
                }
                guard replaced < replacementLimit else { return .givenUp }
                write(substitution, of: pattern, in: value, to: &output)
                replaced += 1
                at = match.upperBound
                lastEnd = at
                guard output.count - start <= resultLimit else { return .givenUp }
            }
        }
        return .replaced
    }

    private static func write(
        _ substitution: ByteView, of pattern: PCRE2Pattern, in value: ByteView, to output: inout ByteBuffer
    ) {
        var at = 0
        while at < substitution.count {
            let next = substitution.firstIndex(of: backslash, from: at) ?? substitution.count
            output.append(substitution[at..<next])
            guard next + 1 < substitution.count else { return }
            let octet = substitution[next + 1]
            if octet == backslash {
                output.append(byte: backslash)
            } else if let range = pattern.group(Int(octet &- zero)) {
                output.append(value[range])
            }
            at = next + 2
        }
    }

    private static let backslash = UInt8(ascii: "\\")
    private static let zero = UInt8(ascii: "0")
}
