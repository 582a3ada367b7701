import Config
import Core
import HTTP
import Routing
import Testing

@Suite("HTTPHeaderFilter") struct HeaderEditsTests {
    /// The lines that a head has after the edits.
    private func edited(
        _ headers: [(String, String)], rule: [HeaderEditPlan], backend: [HeaderEditPlan] = []
    ) throws -> [String] {
        let filter = try FilterSnapshot {
            $0.requestHeaders = rule
            $0.responseHeaders = backend
        }
        let edits = HeaderEdits(
            rule: filter.filters.requestHeaders, backend: filter.filters.responseHeaders, in: filter.snapshot)
        return TestRequest("/", headers: headers).with { head, bytes, _, _ in
            var kept: [String] = []
            for i in 0..<head.fields.count where !edits.drops(head.fields[i], in: bytes) {
                kept.append("\(head.fields[i].name(in: bytes).string): \(head.fields[i].value(in: bytes).string)")
            }
            return kept + FilterSnapshot.text { edits.appendLines(to: &$0) }.split(separator: "\r\n").map(String.init)
        }
    }

    @Test func setReplacesEveryLineOfTheName() throws {
        #expect(
            try edited(
                [("my-header", "a"), ("x", "1"), ("MY-Header", "b")],
                rule: [.init(.set, name: "My-Header", value: "bar")])
                == ["x: 1", "My-Header: bar"])
        #expect(try edited([], rule: [.init(.set, name: "x", value: "1")]) == ["x: 1"])
    }

    @Test func addAppendsToWhatIsThere() throws {
        #expect(
            try edited([("my-header", "foo")], rule: [.init(.add, name: "my-header", value: "bar,baz")])
                == ["my-header: foo", "my-header: bar,baz"])
    }

    @Test func removeDropsEveryLineOfTheName() throws {
        #expect(
            try edited(
                [("a", "1"), ("User-Agent", "x"), ("A", "2"), ("ab", "3")],
                rule: [.init(.remove, name: "A"), .init(.remove, name: "user-agent")])
                == ["ab: 3"])
    }

    @Test func theBackendsEditsComeAfterTheRules() throws {
        #expect(
            try edited(
                [("x", "0")], rule: [.init(.set, name: "x", value: "1"), .init(.add, name: "y", value: "1")],
                backend: [.init(.set, name: "X", value: "2"), .init(.add, name: "y", value: "2")])
                == ["y: 1", "X: 2", "y: 2"])
        #expect(
            try edited([("x", "0")], rule: [.init(.add, name: "x", value: "1")], backend: [.init(.remove, name: "x")])
                == [])
    }

    @Test func noEditsChangeNothing() throws {
        #expect(try edited([("a", "1"), ("b", "2")], rule: []) == ["a: 1", "b: 2"])
        let filter = try FilterSnapshot { _ in }
        #expect(HeaderEdits(rule: filter.filters.requestHeaders, in: filter.snapshot).isEmpty)
    }

    @Test(
        "Fields that frame the message or belong to the connection cannot be edited",
        arguments: [
            "Content-Length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Keep-Alive", "Host",
        ])
    func framing(name: String) throws {
        let edits: [HeaderEditPlan] = [
            .init(.set, name: name, value: "1"), .init(.add, name: name, value: "2"), .init(.remove, name: name),
        ]
        #expect(try edited([(name, "0")], rule: edits) == ["\(name): 0"])
    }

    @Test func aWellKnownNameIsToldToTheWriter() throws {
        let filter = try FilterSnapshot {
            $0.requestHeaders = [.init(.set, name: "x-request-id", value: "1"), .init(.add, name: "via", value: "1")]
        }
        let edits = HeaderEdits(rule: filter.filters.requestHeaders, in: filter.snapshot)
        #expect(edits.replaces(.xRequestId))
        #expect(!edits.replaces(.via))
        #expect(!edits.replaces(.date))
    }
}
