import Core
import Testing

@testable import HTTP

@Suite struct BaggageTests {
    @Test(
        "members of baggage",
        arguments: [
            ("a=1", ["a=1"]), ("a=1,b=2", ["a=1", "b=2"]), (" a = 1 ; p=2 , b=2;q", ["a=1", "b=2"]), ("", []),
            (",,a=1,", ["a=1"]), ("novalue, b=", ["b="]), ("x;a=1", []), ("a==", ["a=="]),
        ])
    func members(field: String, expected: [String]) {
        let found = field.withView { view in
            var members = Baggage.Members(view)
            var found: [String] = []
            while let member = members.next() { found.append("\(member.key.string)=\(member.value.string)") }
            return found
        }
        #expect(found == expected)
    }

    @Test(arguments: [
        ("v2", true), ("a/b:c@d", true), ("", false), ("two words", false), ("a,b", false), ("a;b", false),
        ("\"q\"", false), ("50%", false), ("a\\b", false), ("é", false),
    ])
    func whatAMemberCanHold(value: String, can: Bool) { #expect(value.withView { Baggage.canHold($0) } == can) }

    @Test(
        "trace-ids",
        arguments: [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", nil),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", nil),
            ("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", nil), ("00-4bf9", nil), ("", nil),
        ] as [(String, String?)])
    func traceIDs(field: String, expected: String?) {
        #expect(field.withView { Traceparent.traceID($0)?.string } == expected)
    }
}
