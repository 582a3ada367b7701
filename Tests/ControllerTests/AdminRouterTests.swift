import Core
import IO
import Testing

@testable import Controller

@Suite("Who may have which admin page")
struct AdminRouterTests {
    private let here = AdminAddress.tcp(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 15000))

    private func route(
        _ method: String, _ path: String, host: String? = "127.0.0.1:15000", origin: String? = nil
    ) -> AdminRouter.Decision {
        AdminRouter.route(AdminRequest(method: method, path: path, host: host, origin: origin), listening: here)
    }

    private func status(_ decision: AdminRouter.Decision) -> UInt16 {
        if case .refused(let refusal) = decision { return refusal.status }
        return 200
    }

    @Test(arguments: AdminPage.allCases)
    func everyPageIsReadOnly(page: AdminPage) {
        #expect(route("GET", page.path) == .page(page))
        #expect(route("HEAD", page.path) == .page(page))
        guard case .refused(let refusal) = route("POST", page.path) else {
            Issue.record("POST \(page.path) was taken")
            return
        }
        #expect(refusal.status == 405 && refusal.allow == "GET, HEAD")
    }

    @Test func actionsArePosted() {
        #expect(route("POST", "/api/reload") == .reload)
        #expect(route("POST", "/api/drain") == .drain)
        guard case .refused(let refusal) = route("GET", "/api/reload") else {
            Issue.record("GET /api/reload was taken")
            return
        }
        #expect(refusal.status == 405 && refusal.allow == "POST")
    }

    @Test(arguments: ["/nothing", "/api", "/api/reload/", "/healthz2", ""])
    func unknownPaths(path: String) { #expect(status(route("GET", path)) == 404) }

    @Test(arguments: [
        ("127.0.0.1:15000", 200), ("127.0.0.1", 200), ("localhost:15000", 200), ("LocalHost", 200),
        ("[::1]:15000", 200),
        ("[::1]", 200), ("", 200), ("evil.example", 403), ("evil.example:15000", 403), ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403), ("[::1", 403),
    ])
    func namesThatWerePointedHere(host: String, expected: UInt16) {
        #expect(status(route("GET", "/healthz", host: host)) == expected)
    }

    @Test func aSocketInTheFileSystemHasNoForeignNames() {
        let request = AdminRequest(method: "GET", path: "/healthz", host: "evil.example", origin: nil)
        #expect(AdminRouter.route(request, listening: .unix(path: "/run/x")) == .page(.healthz))
    }

    @Test(
        arguments: [
            (nil, 200), ("http://127.0.0.1:15000", 200), ("http://localhost:15000", 403),
            ("https://127.0.0.1:15000", 403),
            ("http://evil.example", 403), ("null", 403),
        ] as [(String?, UInt16)])
    func pagesOfOtherSitesChangeNothing(origin: String?, expected: UInt16) {
        #expect(status(route("POST", "/api/reload", origin: origin)) == expected)
    }

    @Test func hostileNamesStayTextOnTheStatusPage() {
        #expect(StatusPage.escaped("<b onload='x'>&\"") == "&lt;b onload=&#39;x&#39;&gt;&amp;&quot;")
    }
}
