import Config
import Core
import Routing
import Testing

@Suite("HTTPRequestRedirectFilter") struct RedirectFilterTests {
    struct Case: CustomTestStringConvertible {
        var redirect: RedirectPlan
        var scheme = RequestScheme.http
        var port: UInt16 = 80
        var location: String
        var testDescription: String { location }
    }

    private func location(
        _ plan: RedirectPlan, scheme: RequestScheme = .http, port: UInt16 = 80, host: String = "example.org",
        path: String = "/a", query: String? = nil, matched: UInt32 = 0
    ) throws -> String {
        let filter = try FilterSnapshot { $0.redirect = plan }
        let config = filter.snapshot[filter.filters.redirect, 0].pointee
        #expect(config.statusCode == plan.statusCode)
        return host.withView { host in
            path.withView { path in
                (query ?? "").withView { octets in
                    FilterSnapshot.text {
                        RedirectFilter.writeLocation(
                            config, in: filter.snapshot,
                            .init(
                                scheme: scheme, host: host, listenerPort: port, path: path,
                                query: query == nil ? nil : octets, matchedPrefixLength: matched), to: &$0)
                    }
                }
            }
        }
    }

    static func plan(scheme: String? = nil, hostname: String? = nil, port: UInt16? = nil) -> RedirectPlan {
        RedirectPlan(scheme: scheme, hostname: hostname, path: nil, port: port)
    }

    @Test(
        "port: the filter's, else the scheme's, else the listener's; never the default of the scheme",
        arguments: [
            Case(redirect: plan(), location: "http://example.org/a"),
            Case(redirect: plan(port: 80), location: "http://example.org/a"),
            Case(redirect: plan(port: 8080), location: "http://example.org:8080/a"),
            Case(redirect: plan(scheme: "https"), location: "https://example.org/a"),
            Case(redirect: plan(scheme: "https", port: 443), location: "https://example.org/a"),
            Case(redirect: plan(scheme: "https", port: 8443), location: "https://example.org:8443/a"),
            Case(redirect: plan(), port: 8080, location: "http://example.org:8080/a"),
            Case(redirect: plan(port: 80), port: 8080, location: "http://example.org/a"),
            Case(redirect: plan(scheme: "https"), port: 8080, location: "https://example.org/a"),
            Case(redirect: plan(scheme: "http"), port: 8080, location: "http://example.org/a"),
            Case(redirect: plan(), scheme: .https, port: 443, location: "https://example.org/a"),
            Case(redirect: plan(), scheme: .https, port: 8443, location: "https://example.org:8443/a"),
            Case(redirect: plan(port: 80), scheme: .https, port: 443, location: "https://example.org:80/a"),
            Case(redirect: plan(scheme: "http"), scheme: .https, port: 443, location: "http://example.org/a"),
            Case(redirect: plan(scheme: "https", port: 80), location: "https://example.org:80/a"),
            Case(redirect: plan(scheme: "ws"), port: 9000, location: "ws://example.org:9000/a"),
            Case(redirect: plan(hostname: "new.example.net"), location: "http://new.example.net/a"),
        ])
    func port(test: Case) throws {
        #expect(try location(test.redirect, scheme: test.scheme, port: test.port) == test.location)
    }

    @Test func pathAndQueryAreKept() throws {
        #expect(try location(Self.plan(), path: "/a/b", query: "q=1&r") == "http://example.org/a/b?q=1&r")
        #expect(try location(Self.plan(), path: "/a/b", query: "") == "http://example.org/a/b?")
        #expect(try location(Self.plan(), path: "") == "http://example.org/")
    }

    @Test func pathIsModified() throws {
        let full = RedirectPlan(scheme: nil, hostname: nil, path: .replaceFullPath("/new"), port: nil, statusCode: 301)
        #expect(try location(full, path: "/a/b", query: "q") == "http://example.org/new?q")
        let prefix = RedirectPlan(
            scheme: nil, hostname: nil, path: .replacePrefixMatch("/new"), port: nil, statusCode: 308)
        #expect(try location(prefix, path: "/a/b", matched: 2) == "http://example.org/new/b")
    }

    @Test func withoutAnyHostTheLocationIsRelative() throws {
        #expect(try location(Self.plan(scheme: "https"), host: "", path: "/a", query: "q") == "/a?q")
    }

    @Test func anIPv6LiteralKeepsItsBrackets() throws {
        #expect(try location(Self.plan(port: 8080), host: "[::1]") == "http://[::1]:8080/a")
    }
}
