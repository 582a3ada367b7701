import Core
import Testing

@testable import Manifest

/// Unquoted scalars are what sigs.k8s.io/yaml makes of them.
@Suite struct PlainScalars {
    static let kinds: [(text: String, kind: NodeKind)] = [
        ("", .null), ("~", .null), ("null", .null), ("Null", .null), ("NULL", .null), ("nULL", .string),
        ("true", .boolean), ("True", .boolean), ("TRUE", .boolean), ("tRUE", .string), ("yes", .boolean),
        ("On", .boolean), ("off", .boolean), ("n", .boolean), ("Y", .boolean), ("nope", .string), ("oN", .string),
        ("0", .integer), ("-1", .integer), ("+5", .integer), ("017", .integer), ("0o17", .integer), ("0x1F", .integer),
        ("0b101", .integer), ("1_000", .integer), ("9223372036854775808", .integer), ("0b12", .string),
        ("08", .float), ("1.5", .float), (".5", .float), ("1.", .float), ("1e3", .float), ("-1.5e-3", .float),
        (".inf", .float), ("-.INF", .float), (".nan", .float), ("+.nan", .string), ("1.2.3", .string),
        ("10s", .string), ("2026-08-21", .string), ("2026-08-21T10:00:00Z", .string), ("-", .string), ("1:30", .string),
        ("0x", .string), ("e3", .string), ("-a", .string), (".", .string), ("~a", .string), ("1e", .string),
    ]

    @Test(arguments: kinds) func haveTheirType(_ text: String, _ kind: NodeKind) {
        #expect(text.withView { PlainScalar.kind(of: $0) } == kind)
    }

    static let integers: [(text: String, value: Int64?)] = [
        ("0", 0), ("-12", -12), ("+5", 5), ("017", 15), ("0o17", 15), ("0x1f", 31), ("-0x10", -16), ("0b101", 5),
        ("1_000", 1000), ("9223372036854775807", .max), ("-9223372036854775808", .min), ("9223372036854775808", nil),
        ("08", nil), ("0x", nil), ("-", nil), ("1.0", nil),
    ]

    @Test(arguments: integers) func haveTheirValue(_ text: String, _ value: Int64?) {
        #expect(text.withView { PlainScalar.integer($0) } == value)
    }
}
