import Core
import Glibc
import IO
import Support
import Testing

@Suite("Commands")
struct CommandTests {
    private struct Outcome {
        var code: UInt8
        var output: String
    }

    /// Runs a command to its end.
    private func run(_ arguments: [String]) throws -> Outcome {
        let folder = try TemporaryFolder()
        let program = try Program(Program.built("sluice"), arguments, output: folder.path + "/output")
        guard case .exited(let code) = try program.waitForEnd() else {
            Issue.record("\(arguments) was killed: \(program.output)")
            return Outcome(code: 255, output: program.output)
        }
        return Outcome(code: code, output: program.output)
    }

    @Test(
        arguments: [
            ([], 2, "no command given"),
            (["frobnicate"], 2, "there is no command 'frobnicate'"),
            (["diff", "a", "b"], 2, "'diff' is not in this version"),
            (["rollback"], 2, "not in this version"),
            (["upgrade"], 2, "not in this version"),
            (["version"], 0, "sluice "),
            (["help"], 0, "explain"),
            (["help", "check"], 0, "usage: sluice check"),
            (["help", "nothing"], 2, "there is no command 'nothing'"),
            (["check", "--frob"], 2, "there is no option --frob"),
            (["check", "-o", "xml"], 2, "write text or json"),
            (["explain"], 2, "write --url"),
            (["explain", "--url", "ftp://x/"], 2, "write http://HOST"),
            (["reload", "--confirm", "30s"], 2, "--confirm is not in this version"),
            (["reload", "--admin", "unix:/nowhere/admin"], 2, "no gateway answers"),
            (["status", "--pid-file", "/nowhere"], 2, "/nowhere"),
            (["echo"], 2, "--listen"),
            (["echo", "--listen", "127.0.0.1:1", "--tls", "/nowhere/a", "b"], 2, "--tls /nowhere/a: No such file"),
            (["echo", "--listen", "127.0.0.1:1", "--tls", "a"], 2, "--tls needs a value: --tls CERT KEY"),
            (
                ["guard", "--socket", "x", "--central", "central.example:15080"], 2,
                "names are for sluice.dev/fallback-gateway"
            ),
            (["guard", "--socket", "x", "--central", "hbone://10.0.0.5"], 2, "'hbone://10.0.0.5' needs a tunnel"),
            (["guard", "--socket", "x", "--central", "10.0.0.5; 10.0.0.6"], 2, "separate them by commas alone"),
            (["guard", "--socket", "x", "--central", "10.0.0.5,"], 2, "separate them by commas alone"),
            (["run", "--access-log", "xml"], 2, "--access-log 'xml'"),
        ] as [([String], UInt8, String)])
    func wrongAndRightUsage(arguments: [String], code: UInt8, part: String) throws {
        let outcome = try run(arguments)
        #expect(outcome.code == code)
        #expect(outcome.output.contains(part), "\(outcome.output)")
    }

    @Test func commandsOfLaterVersionsAreNotListed() throws {
        let list = try run(["help"]).output
        for name in ["diff", "rollback", "upgrade"] { #expect(!list.contains("  \(name) ")) }
        for name in ["run", "check", "explain", "reload", "stop", "status", "echo", "version"] {
            #expect(list.contains("  \(name) "))
        }
    }

    // MARK: check

    @Test func checkOfAGoodSet() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.yaml", Site.simple(port: 8080, backend: 9000))
        let text = try run(["check", folder.path])
        #expect(text.code == 0 && text.output == "4 resources: nothing is wrong\n")
        let json = try run(["check", "-o", "json", folder.path])
        #expect(json.code == 0)
        #expect(json.output.hasPrefix(#"{"resources":[{"#) && json.output.hasSuffix("\"findings\":[]}\n"))
    }

    @Test func checkOfAnUnresolvedSet() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", Site.gateway([("http", 8080)]) + Site.route(to: "missing"))
        let text = try run(["check", path])
        #expect(text.code == 1)
        #expect(text.output.contains("\(path):18:") && text.output.contains(": error: spec.rules[0].backendRefs[0]"))
        let json = try run(["check", "-o", "json", path])
        #expect(json.code == 1)
        #expect(json.output.contains(#""kind":"unresolved","severity":"error","file":""#))
    }

    /// What binding shows a running gateway, `check` knows without binding.
    @Test func checkAndTheRunningGatewayAgreeOnAddresses() throws {
        let port = try Ports.free()
        let gateway = try Gateway(
            Site.gateway([("http", port)], address: "127.0.0.1}, {type: IPAddress, value: 192.0.2.1")
                + Site.route(to: "a") + Site.service("a", port: 9001))
        let manifests = gateway.folder.path + "/manifests"
        let running = try gateway.admin("/api/resources").text
        let checked = try run(["check", "-o", "json", manifests])
        #expect(checked.code == 1)
        let message = "192.0.2.1:\(port) cannot be bound: \(Errno(EADDRNOTAVAIL).description)"
        for output in [running, checked.output] {
            #expect(output.contains(#""reason":"AddressNotUsable","message":"\#(message)""#), "\(output)")
        }
        let text = try run(["check", manifests])
        #expect(text.output.contains(": error: spec.listeners[0].port: \(message)"), "\(text.output)")
    }

    @Test func checkOfAMalformedSet() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prts: []}\n")
        let text = try run(["check", path])
        #expect(text.code == 1)
        #expect(text.output.contains("\(path):4:8: error: spec: no field is named 'prts'; did you mean 'ports'?"))
        #expect(text.output.contains("1 resource: 1 error\n"), "\(text.output)")
        let json = try run(["check", "-o", "json", folder.path + "/missing"])
        #expect(json.code == 1)
        #expect(
            json.output.contains(#""kind":"malformed","severity":"error""#)
                && json.output.contains(#""line":1,"column":1"#))
    }

    @Test func runRefusesWhatCheckRefuses() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", "kind: [")
        let outcome = try run(["run", "--admin", "off", "--workers", "1", path])
        #expect(outcome.code == 1)
        #expect(outcome.output.contains("\(path):"))
    }

    // MARK: explain

    private static let site =
        Site.gateway([("http", 8080)]) + Site.route("exact", to: "a", prefix: "/cart")
            + """
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: versions}
            spec:
              parentRefs: [{name: front}]
              hostnames: [shop.example]
              rules:
              - name: canary
                matches: [{path: {type: PathPrefix, value: /cart}, headers: [{name: x-version, value: v2}]}]
                timeouts: {request: 10s}
                backendRefs:
                - {name: a, port: 80, weight: 90}
                - {name: b, port: 80, weight: 10}

            """ + Site.service("a", port: 9001) + Site.service("b", port: 9002)

    @Test func explainNamesTheWinnerAndWhatItTakes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", Self.site)
        let outcome = try run([
            "explain", path, "--url", "http://shop.example/cart/1", "--header", "X-Version: v2", "--method", "POST",
        ])
        #expect(outcome.code == 0)
        #expect(
            outcome.output == """
                POST http://shop.example/cart/1
                note: the URL has no port; taken for 8080, the only one that is listened on

                address    127.0.0.1:8080
                listener   default/front 'http' (every host)  [\(path):9:5]
                route      HTTPRoute default/versions  [\(path):20:1]
                rule       0 'canary': prefix /cart, header x-version: v2  [\(path):27:5]
                backends   90.0 %  default/a:80 → 127.0.0.1:9001  [\(path):31:7]
                           10.0 %  default/b:80 → 127.0.0.1:9002  [\(path):32:7]
                timeouts   request 10s

                """)
    }

    @Test func explainTellsWhyNearerCandidatesLost() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", Self.site)
        let text = try run(["explain", path, "--url", "http://shop.example:8080/cart/1"])
        #expect(text.code == 0)
        #expect(text.output.contains("route      HTTPRoute default/exact"))
        #expect(
            text.output.contains(
                "  header 'x-version': default/versions rule 0 (shop.example), prefix /cart, header x-version: v2  [\(path):28:"
            ))
        let json = try run(["explain", path, "--url", "http://shop.example:8080/cart/1", "-o", "json"])
        #expect(json.output.contains(#""verdict":"lost","predicate":"header 'x-version'""#))
        #expect(json.output.contains(#""served":true"#))
    }

    @Test func explainTellsThePoliciesInForceAndWhereTheyAreWritten() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", Self.site)
        func policy(_ kind: String, _ name: String, on target: String, _ spec: String) -> String {
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: \(kind)\nmetadata: {name: \(name)}\n"
                + "spec: {targetRefs: [{group: gateway.networking.k8s.io, \(target)}], \(spec)}\n---\n"
        }
        let policies = try folder.write(
            "policies.yaml",
            policy(
                "ClientTrafficPolicy", "edge", on: "kind: Gateway, name: front", "headers: {enableEnvoyHeaders: true}")
                + policy("BackendTrafficPolicy", "all", on: "kind: Gateway, name: front", "retry: {numRetries: 1}")
                + policy(
                    "BackendTrafficPolicy", "own", on: "kind: HTTPRoute, name: exact",
                    "mergeType: StrategicMerge, retry: {numRetries: 2}")
                + policy(
                    "SecurityPolicy", "locked", on: "kind: HTTPRoute, name: versions",
                    "basicAuth: {users: {name: staff}}"))
        let merged = try run(["explain", path, policies, "--url", "http://shop.example:8080/cart/1"])
        #expect(
            merged.output.contains(
                """
                policies   ClientTrafficPolicy default/edge  [\(policies):1:1]
                           BackendTrafficPolicy default/own  [\(policies):11:1]
                           BackendTrafficPolicy default/all, which the one above is merged into  [\(policies):6:1]

                """))
        let json = try run([
            "explain", path, policies, "--url", "http://shop.example:8080/cart/1", "--header", "X-Version: v2", "-o",
            "json",
        ])
        #expect(json.output.contains(#""kind":"SecurityPolicy","name":"default/locked","role":"refused""#))
        #expect(json.output.contains(#""kind":"BackendTrafficPolicy","name":"default/all","role":"effective""#))
    }

    @Test func explainOfARequestThatNobodyTakes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", Self.site)
        let lost = try run(["explain", path, "--url", "http://other.example:8080/elsewhere"])
        #expect(lost.code == 1)
        #expect(lost.output.contains("answer     404: no route of the listener matches"))
        #expect(lost.output.contains("  path: default/exact rule 0"))
        let port = try run(["explain", path, "--url", "http://shop.example:81/"])
        #expect(
            port.code == 1 && port.output.contains("nothing listens on port 81; the listeners are on 127.0.0.1:8080"))
        let hostile = try run(["explain", path, "--url", "http://shop.example:8080/%00"])
        #expect(hostile.code == 1 && hostile.output.contains("answer     400: "))
    }

    @Test(
        arguments: [
            (["https://a.example.com:8443/"], "listener   default/front 'a' (a.example.com)"),
            (["http://a.example.com:8443/"], "speak TLS; write https://"),
            (["https://a.example.com:8080/"], "speak no TLS; write http://"),
            (["https://c.example.com:8443/"], "has this server name: the handshake is refused"),
            (["https://b.example.com:8443/"], "listener 'b' passes on what comes for this server name"),
            (
                ["https://a.example.com:8443/", "--header", "Host: d.example.com"],
                "answer     421: the handshake was for"
            ),
            (["https://a.example.com/"], "nothing listens on port 443"),
            (["http://a.example.com:9000/"], "127.0.0.1:9000 passes on whatever comes; its TCPRoute says where"),
        ] as [([String], String)])
    func explainOfTLS(request: [String], part: String) throws {
        let folder = try TemporaryFolder()
        let pair = try TestCertificates.issue(names: ["a.example.com"])
        try folder.write("site.pem", pair.chain)
        try folder.write("site.key", pair.key)
        let tls = "tls: {certificateRefs: [{name: site}]}"
        let path = try folder.write(
            "a.yaml",
            Site.gateway([("http", 8080)]) + """
                  - {name: a, port: 8443, protocol: HTTPS, hostname: a.example.com, \(tls)}
                  - {name: b, port: 8443, protocol: TLS, hostname: b.example.com, tls: {mode: Passthrough}}
                  - {name: d, port: 8443, protocol: HTTPS, hostname: d.example.com, \(tls)}
                  - {name: tcp, port: 9000, protocol: TCP}

                """ + Site.route(to: "app") + Site.service("app", port: 9001) + """
                    ---
                    apiVersion: v1
                    kind: Secret
                    metadata:
                      name: site
                      annotations: {sluice.dev/cert-file: site.pem, sluice.dev/key-file: site.key}
                    type: kubernetes.io/tls

                    """)
        let outcome = try run(["explain", path, "--url"] + request)
        #expect(outcome.output.contains(part), "\(outcome.output)")
    }

    @Test func explainOfThousandsTellsTheNearest() throws {
        let folder = try TemporaryFolder()
        let routes = (0..<3000).map { Site.route("r-\($0)", to: "a", prefix: "/far/\($0)") }.joined()
        let path = try folder.write("a.yaml", Self.site + Site.route("typo", to: "a", prefix: "/baskets") + routes)
        let text = try run(["explain", path, "--url", "http://other.example:8080/basket"])
        #expect(text.code == 1)
        #expect(text.output.contains("  path: default/typo rule 0, prefix /baskets"))
        #expect(text.output.split(separator: "\n").count { $0.hasPrefix("  path: ") } <= 20)
        #expect(text.output.hasSuffix("  and 2983 more that were further from serving it\n"), "\(text.output)")
        let json = try run(["explain", path, "--url", "http://shop.example:8080/cart", "-o", "json"])
        #expect(json.code == 0)
        #expect(json.output.contains(#""omitted":2982,"omittedNearer":2982}"#), "\(json.output.suffix(200))")
        #expect(json.output.contains(#""verdict":"lost","predicate":"header 'x-version'""#))
    }

    // MARK: a running gateway

    @Test func statusReloadAndStop() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let folder = try TemporaryFolder()
        let pidFile = folder.path + "/pid"
        let gateway = try Gateway(
            Site.simple(port: port, backend: backend.port), options: ["--pid-file", pidFile])
        let status = try run(["status", "--pid-file", pidFile])
        #expect(status.code == 0)
        #expect(
            status.output.contains("ready\n")
                && status.output.contains("listener       default/front 'http' port \(port)"))
        let applied = try run(["reload", "--pid-file", pidFile])
        #expect(applied.code == 0 && applied.output == "generation 2 is live in all workers\n")
        try gateway.write(["broken.yaml": "kind: ["])
        let refused = try run(["reload", "--admin", "unix:" + gateway.folder.path + "/admin"])
        #expect(refused.code == 1)
        #expect(
            refused.output.contains("broken.yaml:1:")
                && refused.output.contains("refused: the manifests are malformed; generation 2 goes on"))
        let json = try run(["reload", "--pid-file", pidFile, "-o", "json"])
        #expect(json.code == 1 && json.output.hasPrefix(#"{"ok":false,"generation":2,"#))
        #expect(try run(["stop", "--pid-file", pidFile]).code == 0)
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
        #expect(try run(["stop", "--pid-file", pidFile]).code == 2)
    }

    // MARK: echo

    @Test func echoTellsWhatItReceived() throws {
        let port = try Ports.free()
        let folder = try TemporaryFolder()
        let program = try Program(
            Program.built("sluice"), ["echo", "--listen", "127.0.0.1:\(port)", "--name", "v1"],
            environment: ["NAMESPACE": "shop"], output: folder.path + "/output")
        try Wait.until("echo to listen") { program.output.contains("listens on") }
        let client = try Client(port: port)
        let answer = try client.request(
            "POST", "/a/b?c=d", host: "shop.example", fields: [("x-tEST", "1"), ("X-Test", "2")],
            body: Array("hello".utf8))
        #expect(answer.status == 200)
        for part in [
            #""path":"/a/b?c=d""#, #""host":"shop.example""#, #""method":"POST""#, #""proto":"HTTP/1.1""#,
            #""X-Test":["1","2"]"#, #""namespace":"shop""#, #""pod":"v1""#,
        ] {
            #expect(answer.text.contains(part), "\(answer.text)")
        }
        // The same connection goes on.
        #expect(try client.request("GET", "/status/418").status == 418)
        #expect(try client.request("GET", "/status/99").status == 400)
        #expect(try client.request("HEAD", "/status/204").status == 204)
        let watch = Stopwatch()
        #expect(try client.request("GET", "/?delay=200ms").status == 200)
        #expect(watch.elapsed >= .milliseconds(200))
        #expect(try client.request("GET", "/?delay=soon").status == 400)
        try client.send("GET / HTTP/1.0\r\n\r\n")
        let old = try client.readResponse()
        #expect(old.text.contains(#""proto":"HTTP/1.0""#))
        #expect(client.isClosedByPeer())
    }

    @Test func echoSendsWebSocketMessagesBack() throws {
        let port = try Ports.free()
        let folder = try TemporaryFolder()
        let program = try Program(
            Program.built("sluice"), ["echo", "--listen", "127.0.0.1:\(port)"], output: folder.path + "/output")
        try Wait.until("echo to listen") { program.output.contains("listens on") }
        let client = try Client(port: port)
        try client.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        let head = try client.readHead()
        #expect(head.status == 101)
        // The example of RFC 6455, section 1.3.
        #expect(head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let mask: [UInt8] = [1, 2, 3, 4]
        @Sendable func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
            let length: [UInt8] =
                payload.count < 126
                ? [0x80 | UInt8(payload.count)]
                : [0xFF, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: payload.count >> (24 - 8 * $0)) }
            return [first] + length + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
        }
        let text = Array("hello".utf8)
        try client.send(frame(0x81, text))
        #expect(try client.read(7) == [0x81, 5] + text)
        try client.send(frame(0x89, [9]))
        #expect(try client.read(3) == [0x8A, 1, 9])
        let large = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        Threads.start { try? client.send(frame(0x82, large)) }
        #expect(try client.read(10 + large.count).suffix(large.count) == large[...])
        try client.send(frame(0x88, [3, 0xE8]))
        #expect(try client.read(4) == [0x88, 2, 3, 0xE8])
        #expect(client.isClosedByPeer())
    }
}
