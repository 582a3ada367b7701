import Core
import Support
import Testing

/// Listeners of a group that take TLS: members are reached by the server name, or by Host within HTTPS.
@Suite("TLS listeners of groups") struct TLSListenerTests {
    /// `web` (HTTP, and TLS of its own), `db` (octets) and `plain` (nobody says) behind a listener of each kind.
    private final class Site {
        let ports: (terminate: UInt16, pass: UInt16, https: UInt16)
        let web: Backend
        let secure: EchoBackend
        let db: Backend
        let gateway: Gateway
        let trust: TrustFolder

        init(_ manifests: String = "") throws {
            ports = (try Ports.free(), try Ports.free(), try Ports.free())
            web = try Backend("web") { request in
                .response(body: "web \(request["x-forwarded-proto"] ?? "-") \(request["host"] ?? "-")")
            }
            secure = try EchoBackend("secure", tls: try TestCertificates.issue(names: ["web.shop"]))
            db = try Backend("db") { _, connection, _ in
                try connection.send("greeting\n")
                try connection.send("got " + connection.readLine() + "\n")
                _ = try? connection.readToEnd()
            }
            let pair = try TestCertificates.issue(names: [
                "web.shop", "loose.shop", "own.shop", "web.shop.svc.cluster.local", "nobody.example",
                "requests.example",
            ])
            trust = try TrustFolder()
            gateway = try Gateway(
                Self.front(ports)
                    + SecureSite.secret("site", pair).replacing("{name: site}", with: "{name: site, namespace: shop}")
                    + "---\n" + Self.service("web", ["http": (80, web.port), "https": (443, secure.port)])
                    + Self.service("db", ["tcp": (5432, db.port)]) + Self.service("plain", ["any": (7000, db.port)])
                    + Self.service("loose", ["any": (7000, web.port)])
                    + Self.service("own", ["tls": (8443, secure.port)])
                    + manifests)
        }

        private static func front(_ ports: (terminate: UInt16, pass: UInt16, https: UInt16)) -> String {
            """
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop, labels: {sluice.dev/gateway: front}}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: shop, annotations: {sluice.dev/group: by-name}}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners:
              - {name: ended, protocol: TLS, port: \(ports.terminate), tls: {mode: Terminate, certificateRefs: [{name: site}]}}
              - {name: passed, protocol: TLS, port: \(ports.pass), tls: {mode: Passthrough}}
              - {name: https, protocol: HTTPS, port: \(ports.https), tls: {certificateRefs: [{name: site}]}}

            """
        }

        private static func service(_ name: String, _ ports: [String: (UInt16, UInt16)]) -> String {
            let sorted = ports.sorted { $0.key < $1.key }
            return """
                apiVersion: v1
                kind: Service
                metadata: {name: \(name), namespace: shop}
                spec: {ports: [\(sorted.map { "{name: \($0.key), port: \($0.value.0)}" }.joined(separator: ", "))]}
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: \(name)-1, namespace: shop, labels: {kubernetes.io/service-name: \(name)}}
                addressType: IPv4
                ports: [\(sorted.map { "{name: \($0.key), port: \($0.value.1)}" }.joined(separator: ", "))]
                endpoints: [{addresses: [127.0.0.1]}]
                ---

                """
        }

        func get(_ host: String, _ port: UInt16, _ path: String = "/", _ words: [String] = []) throws -> Curl {
            try Curl(host, port, path, trust: trust, words)
        }

        /// A line within TLS, and all that came back.
        func say(_ line: String?, to host: String, _ words: [String] = []) throws -> String {
            let said = line.map { "printf '%s\\n' '\($0)'; " } ?? ""
            let last = line.map { "got \($0)" } ?? "greeting"
            // It stays until it has heard what is said to it at last, or for five seconds.
            let stays = "for i in $(seq 100); do grep -q '\(last)' $heard && break; sleep 0.05; done"
            return try Clients.tool(
                "sh",
                [
                    "-c",
                    "heard=$(mktemp); (\(said)\(stays)) | timeout 20 openssl s_client -quiet -no_ign_eof -verify_quiet "
                        + "-connect 127.0.0.1:\(ports.terminate) -servername \(host) \"$@\" >$heard 2>&1; "
                        + "cat $heard; rm $heard", "sh",
                ] + words
            ).output
        }
    }

    /// A route and a policy of the member count within TLS as they do without.
    private static let rules = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: web, namespace: shop}
        spec:
          parentRefs: [{group: "", kind: Service, name: web, port: 80}]
          rules:
          - filters:
            - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-routed, value: "yes"}]}}
            backendRefs: [{name: web, port: 80}]
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: secret, namespace: shop}
        spec:
          targetRefs: [{group: "", kind: Service, name: web}]
          action: DENY
          rules: [{to: [{operation: {paths: [/secret]}}]}]
        ---

        """

    @Test(arguments: ["1.1", "2"]) func requestsWithinTLSThatEndsHere(_ version: String) throws {
        let site = try Site(Self.rules)
        for port in [site.ports.terminate, site.ports.https] {
            for host in ["web.shop", "WEB.shop", "web.shop.svc.cluster.local"] {
                let answer = try site.get(host, port, "/x", ["--http\(version)"])
                #expect(answer.status == 200, "\(answer.text) \(site.gateway.output)")
                #expect(answer.version == version, "\(answer.text)")
                #expect(answer.text.contains("web https \(host):\(port)"), "\(answer.text)")
                #expect(answer.text.contains("x-routed: yes"), "\(answer.text)")
            }
            let denied = try site.get("web.shop", port, "/secret", ["--http\(version)"])
            #expect(denied.status == 403 && denied.text.contains("RBAC"), "\(denied.text)")
        }
        // Whose port says nothing is asked by what comes.
        let loose = try site.get("loose.shop", site.ports.terminate, "/", ["--http\(version)"])
        #expect(loose.status == 200 && loose.version == version, "\(loose.text)")
        // The Host says who is called on a connection for requests: another member is none the less itself.
        let other = try site.get("web.shop", site.ports.terminate, "/", ["-H", "Host: loose.shop"])
        #expect(other.text.contains("web https loose.shop") && !other.text.contains("x-routed"), "\(other.text)")
        let outside = try site.get("web.shop", site.ports.terminate, "/", ["-H", "Host: a.example"])
        #expect(outside.status == 421, "\(outside.text)")
    }

    @Test func octetsWithinTLSThatEndsHere() throws {
        let site = try Site()
        for host in ["db.shop", "plain.shop"] {
            let answer = try site.say("hello", to: host)
            #expect(answer.contains("greeting") && answer.contains("got hello"), "\(host): \(answer)")
        }
        // The server speaks first: nothing has to come.
        #expect(try site.say(nil, to: "plain.shop").contains("greeting"))
        // Who speaks HTTP to octets has chosen so himself; no protocol is agreed on for octets.
        #expect(try site.say("hello", to: "db.shop", ["-alpn", "h2"]).contains("got hello"))
        #expect(site.db.accepted == 4)
    }

    @Test func policiesOfOctetsWithinTLS() throws {
        let site = try Site(
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: nobody, namespace: shop}
            spec:
              targetRefs: [{group: "", kind: Service, name: db}]
              action: DENY
              rules: [{}]
            ---

            """)
        #expect(!(try site.say("hello", to: "db.shop")).contains("greeting"))
        #expect(site.db.accepted == 0)
        #expect(try site.say("hello", to: "plain.shop").contains("greeting"))
    }

    @Test func whomNobodyMeansIsNotReached() throws {
        let site = try Site()
        // Its endpoints want TLS of the caller's own; nobody has the other name.
        for host in ["own.shop", "nobody.example"] {
            #expect(try site.get(host, site.ports.terminate).status == 0, "\(host)")
        }
        #expect(try site.get("nobody.example", site.ports.https).status == 403)
        let denied = try site.gateway.admin("/metrics").text.split(separator: "\n").filter {
            $0.hasPrefix("sluice_egress_denied_total{host=\"nobody.example\"")
        }
        #expect(denied.count == 1 && denied[0].hasSuffix(" 2"), "\(denied)")
        #expect(site.web.accepted == 0 && site.db.accepted == 0)
    }

    /// Hosts outside, as routes of the Gateway have them, decrypted: requests by an HTTPRoute, octets by a TLSRoute.
    @Test func hostsOutsideWithinTLSThatEndsHere() throws {
        let out = try Backend("out")
        let octets = try Backend("octets") { _, connection, _ in
            try connection.send("outside\n")
            _ = try? connection.readToEnd()
        }
        func route(_ kind: String, _ host: String, _ port: UInt16) -> String {
            """
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: \(kind.lowercased()), namespace: shop}
            spec: {endpoints: [{ip: {address: 127.0.0.1, port: \(port)}}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: \(kind)
            metadata: {name: out, namespace: shop}
            spec:
              parentRefs: [{name: front, sectionName: ended}]
              hostnames: [\(host)]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: \(kind.lowercased())}]}]
            ---

            """
        }
        let site = try Site(
            route("HTTPRoute", "requests.example", out.port) + route("TLSRoute", "octets.example", octets.port))
        let answer = try site.get("requests.example", site.ports.terminate)
        #expect(answer.status == 200 && answer.text.contains("out"), "\(answer.text) \(site.gateway.output)")
        #expect(try site.say(nil, to: "octets.example").contains("outside"))
    }

    /// A drain comes between the handshake and the first request, which is on its way.
    @Test func whatFollowsAHandshakeIsServedDuringADrain() throws {
        let site = try Site()
        let client = """
            import os, signal, socket, ssl
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            # In this version the server's word is the handshake's last.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            here = ("127.0.0.1", \(site.ports.terminate))
            link = context.wrap_socket(socket.create_connection(here, 30), server_hostname="loose.shop")
            os.kill(\(site.gateway.program.pid), signal.SIGTERM)
            while True:
                try: socket.create_connection(here, 30).close()
                except OSError: break
            link.sendall(b"GET / HTTP/1.1\\r\\nHost: loose.shop\\r\\nConnection: close\\r\\n\\r\\n")
            print(link.recv(1000).split(b"\\r\\n")[0])
            """
        let answer = try Clients.tool("python3", ["-c", client]).output
        #expect(answer.contains("HTTP/1.1 200"), "\(answer)\n\(site.gateway.output)")
    }

    @Test func tlsThatIsPassedOn() throws {
        let site = try Site()
        let answer = try site.get("web.shop", site.ports.pass, "/x")
        #expect(answer.text.contains("\"serverName\":\"web.shop\""), "\(answer.text) \(site.gateway.output)")
        let own = try site.get("own.shop", site.ports.pass, "/x", ["--insecure"])
        #expect(own.text.contains("\"serverName\":\"own.shop\""), "\(own.text)")
        #expect(try site.get("nobody.example", site.ports.pass).status == 0)
        #expect(site.web.accepted == 0)
    }
}
