import Config
import Core
import Routing
import Testing

@Suite("HTTPCORSFilter") struct CORSFilterTests {
    private func plan(
        origins: [String] = ["https://a.example"], credentials: Bool = false, methods: [String] = [],
        headers: [String] = [],
        expose: [String] = [], maxAge: UInt32 = 5
    ) -> CORSPlan {
        CORSPlan(
            allowOrigins: origins, allowCredentials: credentials, allowMethods: methods, allowHeaders: headers,
            exposeHeaders: expose, maxAge: maxAge)
    }

    private func lines(_ plan: CORSPlan, preflight: Bool, _ headers: [(String, String)]) throws -> [String] {
        let snapshot = try FilterSnapshot { $0.cors = plan }
        let filter = try #require(CORSFilter(snapshot.filters, in: snapshot.snapshot))
        let text = TestRequest("/", method: preflight ? "OPTIONS" : "GET", headers: headers).with { head, bytes, _, _ in
            FilterSnapshot.text {
                if preflight {
                    filter.writePreflight(head, bytes, to: &$0)
                } else {
                    filter.writeActual(head, bytes, to: &$0)
                }
            }
        }
        #expect(text.isEmpty || text.hasSuffix("\r\n"))
        return text.split(separator: "\r\n").map(String.init)
    }

    private func allows(_ origins: [String], _ origin: String) throws -> Bool {
        try lines(plan(origins: origins), preflight: false, [("Origin", origin)])
            .contains("access-control-allow-origin: \(origin)")
    }

    @Test(
        "allowOrigins",
        arguments: [
            ("https://www.foo.com", "https://www.foo.com", true), ("https://www.foo.com", "http://www.foo.com", false),
            ("https://www.foo.com", "https://foo.com", false), ("https://www.foo.com", "https://WWW.foo.com", true),
            ("https://www.foo.com", "https://www.foo.com:443", true),
            ("https://www.foo.com", "https://www.foo.com:8443", false),
            ("https://www.foo.com:8443", "https://www.foo.com:8443", true),
            ("https://www.foo.com:8443", "https://www.foo.com", false),
            ("http://www.foo.com:80", "http://www.foo.com", true), ("https://*.bar.com", "https://www.bar.com", true),
            ("https://*.bar.com", "https://xpto.www.bar.com", true), ("https://*.bar.com", "https://bar.com", false),
            ("https://*.bar.com", "https://foobar.com", false), ("https://*.bar.com", "https://.bar.com", false),
            ("https://*.bar.com", "https://a.bar.com.evil.com", false),
            ("https://*.bar.com", "https://a.bar.com:444", false),
            ("https://*.bar.com:444", "https://a.bar.com:444", true), ("https://*", "https://anything.example", true),
            ("https://*", "http://anything.example", false), ("https://*", "https://a.example:8443", false),
            ("https://*:8443", "https://a.example:8443", true), ("https://a.example", "null", false),
            ("https://a.example", "", false),
            ("http://[::1]:8080", "http://[::1]:8080", true), ("http://[::1]", "http://[::1]:80", true),
            ("https://a.example", "https://", false),
            ("https://a.example", "https://a.example/", false), ("https://a.example", "https://a.example:", false),
            ("https://*.bar.com", "https://evil.com/.bar.com", false),
            ("https://*.bar.com", "https://a@b.bar.com", false),
        ])
    func origins(allowed: String, origin: String, matches: Bool) throws {
        #expect(try allows([allowed], origin) == matches)
        #expect(try allows(["http://other.example", allowed], origin) == matches)
    }

    @Test func preflightOfAnAllowedOrigin() throws {
        let full = plan(
            origins: ["https://www.foo.com", "https://*.bar.com"], credentials: true, methods: ["GET", "OPTIONS"],
            headers: ["x-header-1", "x-header-2"], expose: ["x-header-3", "x-header-4"], maxAge: 3600)
        let asked = [
            ("Origin", "https://www.bar.com"), ("access-control-request-method", "GET"),
            ("access-control-request-headers", "x-header-1, x-header-2"),
        ]
        #expect(
            try lines(full, preflight: true, asked) == [
                "vary: Origin", "access-control-allow-origin: https://www.bar.com",
                "access-control-allow-credentials: true",
                "access-control-allow-methods: GET, OPTIONS", "access-control-allow-headers: x-header-1, x-header-2",
                "access-control-expose-headers: x-header-3, x-header-4", "access-control-max-age: 3600",
            ])
    }

    @Test func anotherOriginGetsNoFields() throws {
        let asked = [("Origin", "https://foobar.com"), ("access-control-request-method", "GET")]
        #expect(try lines(plan(methods: ["GET"]), preflight: true, asked) == ["vary: Origin"])
        #expect(try lines(plan(credentials: true), preflight: false, asked) == ["vary: Origin"])
        #expect(try lines(plan(), preflight: false, []) == ["vary: Origin"])
    }

    @Test("The wildcard without credentials is answered as it is") func wildcard() throws {
        let stars = plan(origins: ["*"], methods: ["*"], headers: ["*"], expose: ["*"])
        let asked = [
            ("Origin", "null"), ("access-control-request-method", "PUT"), ("access-control-request-headers", "a, b"),
        ]
        #expect(
            try lines(stars, preflight: true, asked) == [
                "access-control-allow-origin: *", "access-control-allow-methods: *", "access-control-allow-headers: *",
                "access-control-expose-headers: *", "access-control-max-age: 5",
            ])
        #expect(
            try lines(stars, preflight: false, [("Origin", "http://x:1")]) == [
                "access-control-allow-origin: *", "access-control-expose-headers: *",
            ])
        #expect(try lines(stars, preflight: false, []) == [])
    }

    @Test("The wildcard with credentials echoes what was asked, and nothing when nothing was") func credentials() throws
    {
        let stars = plan(origins: ["*"], credentials: true, methods: ["*"], headers: ["*"], expose: ["*", "x-y"])
        let asked = [
            ("Origin", "https://other.foo.com"), ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "a, b"),
        ]
        let both = [
            "vary: Origin", "access-control-allow-origin: https://other.foo.com",
            "access-control-allow-credentials: true",
        ]
        #expect(
            try lines(stars, preflight: true, asked)
                == both + [
                    "access-control-allow-methods: PUT", "access-control-allow-headers: a, b",
                    "access-control-expose-headers: x-y", "access-control-max-age: 5",
                ])
        #expect(
            try lines(stars, preflight: true, Array(asked.prefix(2)))
                == both + [
                    "access-control-allow-methods: PUT", "access-control-expose-headers: x-y",
                    "access-control-max-age: 5",
                ])
        #expect(try lines(stars, preflight: false, asked) == both + ["access-control-expose-headers: x-y"])
    }

    @Test func aPreflightIsOptionsWithOriginAndRequestedMethod() {
        let origin = ("Origin", "https://a")
        let method = ("Access-Control-Request-Method", "PUT")
        func isPreflight(_ verb: String, _ headers: [(String, String)]) -> Bool {
            TestRequest("/", method: verb, headers: headers).with { head, _, _, _ in CORSFilter.isPreflight(head) }
        }
        #expect(isPreflight("OPTIONS", [origin, method]))
        #expect(!isPreflight("GET", [origin, method]))
        #expect(!isPreflight("OPTIONS", [origin]))
        #expect(!isPreflight("OPTIONS", [method]))
    }

    @Test func theBackendsOwnFieldsAreReplaced() throws {
        for name in ["Access-Control-Allow-Origin", "access-control-expose-headers", "ACCESS-CONTROL-MAX-AGE"] {
            #expect(name.withView(CORSFilter.owns))
        }
        for name in ["Access-Control-Allow-Private-Network", "Origin", "access-control-", "vary"] {
            #expect(!name.withView(CORSFilter.owns))
        }
        let none = try FilterSnapshot { _ in }
        #expect(CORSFilter(none.filters, in: none.snapshot) == nil)
    }
}
