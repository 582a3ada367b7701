import Core

/// Small shapes that Envoy Gateway's kinds share.
enum PolicyShapes {
    /// A number of octets, or its text with a unit (`32Ki`).
    static let quantity = Shape(.integerOrString, format: .quantity)

    static let percent = Shape.integer(0...100)
    /// A count that is held in 32 bits without a sign.
    static let count32 = Shape.integer(0...Int64(UInt32.max))
    static let httpStatuses = Shape.list(.integer(100...599))
    static let method = Shape.choice("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")

    static let fraction = Shape.object(
        [required("numerator", .nonNegativeInt32), optional("denominator", .positiveInt32, default: "100")],
        rules: [FilterRules.fraction])

    static let matchType = Shape.choice("Exact", "Prefix", "Suffix", "RegularExpression")

    /// A text to match.
    /// - Parameter more: fields beside the match itself.
    static func stringMatch(_ more: [Field] = []) -> Shape {
        .object(more + [optional("type", matchType, default: "Exact"), required("value", .text(1...1024))])
    }

    static let stringMatch = stringMatch()
    static let stringMatches = Shape.list(stringMatch)

    static let header = Shape.object([required("name", .headerName), required("value", .text(1...4096))])
    static let named = Shape.object([required("name", .string)])
    static let addressRanges = Shape.list(.text(0 ... .max, .addressRange), 1 ... .max)
    static let origin = Shape.text(1...253, .anyOrigin)

    /// Edits of a message's header fields, as Gateway API's filters have them but for the values' characters.
    static func headerModifier(rules: [Rule]) -> Shape {
        .object(
            [
                optional("set", .list(header, 0...16, .map(["name"]))),
                optional("add", .list(header, 0...16, .map(["name"]))),
                optional("remove", .list(.string, 0...16, .set)),
            ], rules: rules)
    }

    /// A path to match.
    static let pathMatch = Shape.object([
        optional("type", .choice("Exact", "PathPrefix", "RegularExpression"), default: "PathPrefix"),
        optional("value", .text(0...1024), default: "/"),
        optional("invert", .boolean, default: "false"),
    ])

    /// A pattern, and what takes the place of what it matches.
    static func replacement(_ substitution: Shape) -> Shape {
        .object([required("pattern", .text(1 ... .max)), required("substitution", substitution)])
    }
}
