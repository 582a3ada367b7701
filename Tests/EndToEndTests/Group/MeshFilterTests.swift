import Support
import Testing

/// Gateway API's conformance tests of meshes, as far as they are about what is done to requests and what is answered in their
/// place; each under the name that it has there.
@Suite struct MeshFilterTests {
    /// A rule that redirects what begins with `/path`.
    private func redirect(_ path: String, _ fields: String) -> String {
        """
        - matches: [{path: {type: PathPrefix, value: \(path)}}]
          filters: [{type: RequestRedirect, requestRedirect: {\(fields)}}]

        """
    }

    private func check(
        _ rules: String, _ cases: [(path: String, status: Int, location: String)]
    ) throws {
        let mesh = try Mesh(Mesh.route("rules:\n" + rules))
        for (path, status, location) in cases {
            let answer = try mesh.call(path)
            #expect(answer.status == status, "\(path)")
            #expect(answer["location"] == location, "\(path)")
        }
        #expect(mesh.v1.requests.isEmpty && mesh.v2.requests.isEmpty)
    }

    @Test func meshHTTPRouteRedirectHostAndStatus() throws {
        try check(
            redirect("/hostname-redirect", "hostname: example.org")
                + redirect("/host-and-status", "hostname: example.org, statusCode: 301"),
            [
                ("/hostname-redirect", 302, "http://example.org/hostname-redirect"),
                ("/host-and-status", 301, "http://example.org/host-and-status"),
            ])
    }

    @Test func meshHTTPRouteRedirectPath() throws {
        let prefix = "path: {type: ReplacePrefixMatch, replacePrefixMatch: /replacement-prefix}"
        func full(_ path: String) -> String { "path: {type: ReplaceFullPath, replaceFullPath: \(path)}" }
        try check(
            redirect("/original-prefix", prefix) + redirect("/full", full("/full-path-replacement"))
                + redirect("/path-and-host", prefix + ", hostname: example.org")
                + redirect("/path-and-status", prefix + ", statusCode: 301")
                + redirect("/full-path-and-host", full("/replacement-full") + ", hostname: example.org")
                + redirect("/full-path-and-status", full("/replacement-full") + ", statusCode: 301"),
            [
                ("/original-prefix/lemon", 302, "http://echo/replacement-prefix/lemon"),
                ("/full/path/original", 302, "http://echo/full-path-replacement"),
                ("/path-and-host", 302, "http://example.org/replacement-prefix"),
                ("/path-and-status", 301, "http://echo/replacement-prefix"),
                ("/full-path-and-host", 302, "http://example.org/replacement-full"),
                ("/full-path-and-status", 301, "http://echo/replacement-full"),
            ])
    }

    @Test func meshHTTPRouteRedirectPort() throws {
        try check(
            redirect("/port", "port: 8083") + redirect("/port-and-host", "hostname: example.org, port: 8083")
                + redirect("/port-and-status", "port: 8083, statusCode: 301")
                + redirect("/port-and-host-and-status", "port: 8083, hostname: example.org, statusCode: 302"),
            [
                ("/port", 302, "http://echo:8083/port"),
                ("/port-and-host", 302, "http://example.org:8083/port-and-host"),
                ("/port-and-status", 301, "http://echo:8083/port-and-status"),
                ("/port-and-host-and-status", 302, "http://example.org:8083/port-and-host-and-status"),
            ])
    }

    @Test func meshHTTPRouteSchemeRedirect() throws {
        try check(
            redirect("/scheme", "scheme: https")
                + redirect("/scheme-and-host", "hostname: example.org, scheme: https")
                + redirect("/scheme-and-status", "scheme: https, statusCode: 301")
                + redirect("/scheme-and-host-and-status", "scheme: https, hostname: example.org, statusCode: 302"),
            [
                ("/scheme", 302, "https://echo/scheme"),
                ("/scheme-and-host", 302, "https://example.org/scheme-and-host"),
                ("/scheme-and-status", 301, "https://echo/scheme-and-status"),
                ("/scheme-and-host-and-status", 302, "https://example.org/scheme-and-host-and-status"),
            ])
    }

    @Test(arguments: [303, 307, 308]) func meshHTTPRouteRedirectStatus(_ status: Int) throws {
        try check(
            redirect("/", "hostname: example.org, statusCode: \(status)"), [("/x", status, "http://example.org/x")])
    }

    @Test func meshHTTPRouteRewritePath() throws {
        func rewrite(_ path: String, _ to: String, _ more: String = "") -> String {
            """
            - matches: [{path: {type: PathPrefix, value: \(path)}}]
              filters:
              - type: URLRewrite
                urlRewrite: {path: {\(to)}}
            \(more)  backendRefs: [{name: echo-v1, port: 80}]

            """
        }
        func prefix(_ value: String) -> String { "type: ReplacePrefixMatch, replacePrefixMatch: \(value)" }
        func full(_ value: String) -> String { "type: ReplaceFullPath, replaceFullPath: \(value)" }
        let headers = """
              - type: RequestHeaderModifier
                requestHeaderModifier:
                  set: [{name: X-Header-Set, value: set-overwrites-values}]
                  add: [{name: X-Header-Add, value: header-val-1}, {name: X-Header-Add-Append, value: header-val-2}]
                  remove: [X-Header-Remove]

            """
        let mesh = try Mesh(
            Mesh.route(
                "rules:\n" + rewrite("/prefix/one", prefix("/one")) + rewrite("/strip-prefix", prefix("/"))
                    + rewrite("/full/one", full("/one"))
                    + rewrite("/full/rewrite-path-and-modify-headers", full("/test"), headers)
                    + rewrite("/prefix/rewrite-path-and-modify-headers", prefix("/prefix"), headers)))
        for (path, wanted) in [
            ("/prefix/one/two", "/one/two"), ("/strip-prefix/three", "/three"), ("/strip-prefix", "/"),
            ("/full/one/two", "/one"),
        ] {
            #expect(try mesh.call(path).text == "echo-v1")
            #expect(mesh.v1.requests.last?.target == wanted, "\(path)")
        }
        for (path, wanted) in [
            ("/full/rewrite-path-and-modify-headers/test", "/test"),
            ("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one"),
        ] {
            let sent = [
                ("X-Header-Remove", "remove-val"), ("X-Header-Add-Append", "append-val-1"), ("X-Header-Set", "set-val"),
            ]
            #expect(try mesh.call(path, sent).status == 200)
            let request = try #require(mesh.v1.requests.last)
            #expect(request.target == wanted, "\(path)")
            #expect(request.all("x-header-add") == ["header-val-1"])
            #expect(request.all("x-header-add-append") == ["append-val-1", "header-val-2"])
            #expect(request.all("x-header-set") == ["set-overwrites-values"])
            #expect(request["x-header-remove"] == nil)
        }
    }

    /// Once on the rule, once on its backendRef (MeshHTTPRouteRequestHeaderModifier and …BackendRequestHeaderModifier).
    @Test(arguments: [false, true]) func meshHTTPRouteRequestHeaderModifier(ofBackend: Bool) throws {
        func rule(_ path: String, _ edits: String) -> String {
            let filters = "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {\(edits)}}]"
            return """
                - matches: [{path: {type: PathPrefix, value: \(path)}}]
                \(ofBackend ? "" : "  " + filters)
                  backendRefs: [{name: echo-v1, port: 8080\(ofBackend ? ", " + filters : "")}]

                """
        }
        let mesh = try Mesh(
            Mesh.route(
                "rules:\n" + rule("/set", "set: [{name: X-Header-Set, value: set-overwrites-values}]")
                    + rule("/add", "add: [{name: X-Header-Add, value: add-appends-values}]")
                    + rule("/remove", "remove: [X-Header-Remove]")
                    + rule(
                        "/multiple",
                        "set: [{name: X-Header-Set-1, value: header-set-1}, {name: X-Header-Set-2, value: header-set-2}], "
                            + "add: [{name: X-Header-Add-1, value: header-add-1}], remove: [X-Header-Remove-1]")))
        func received(_ path: String, _ fields: [(String, String)]) throws -> Backend.Request {
            #expect(try mesh.call(path, fields).text == "echo-v1", "\(path)")
            return try #require(mesh.v1.requests.last)
        }
        #expect(try received("/set", [("Some-Other", "val")]).all("x-header-set") == ["set-overwrites-values"])
        #expect(try received("/set", [("x-header-SET", "own")]).all("x-header-set") == ["set-overwrites-values"])
        #expect(try received("/add", []).all("x-header-add") == ["add-appends-values"])
        #expect(try received("/add", [("X-Header-Add", "own")]).all("x-header-add") == ["own", "add-appends-values"])
        #expect(try received("/remove", [("X-Header-Remove", "val"), ("Kept", "1")])["x-header-remove"] == nil)
        #expect(mesh.v1.requests.last?["kept"] == "1")
        let all = try received(
            "/multiple", [("X-Header-Set-2", "own"), ("X-Header-Add-1", "own"), ("X-Header-Remove-1", "val")])
        #expect(all.all("x-header-set-1") == ["header-set-1"])
        #expect(all.all("x-header-set-2") == ["header-set-2"])
        #expect(all.all("x-header-add-1") == ["own", "header-add-1"])
        #expect(all["x-header-remove-1"] == nil)
    }
}
