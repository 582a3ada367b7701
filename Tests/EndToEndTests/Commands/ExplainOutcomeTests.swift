import Support
import Testing

/// `sluice explain`: whether a call would be served, and by which Gateway.
@Suite("Explain outcomes") struct ExplainOutcomeTests {
    /// The exit status is 0 where the gateway serves, and 1 where it refuses or answers by an error.
    @Test func theExitStatusIsWhatTheGatewayAnswers() throws {
        let mesh = try Mesh(
            Mesh.service("empty", "http", 80, endpoint: nil)
                + Mesh.route(
                    named: "lost", to: "echo-v2", "rules: [{backendRefs: [{name: nobody, port: 80}]}]"),
            annotations: ["sluice.dev/egress": "allow"])
        let manifests = mesh.gateway.folder.path + "/manifests"
        var statuses: Set<Int> = []
        for host in [
            "echo-v1.mesh", "echo-v2.mesh", "empty.mesh", "echo.mehs.localhost", "169.254.169.254", "127.0.0.7:29421",
            "127.0.0.2:81", "echo.mesh:81",
        ] {
            let answer = try mesh.call(host: host)
            statuses.insert(answer.status)
            let told = try ExplainCommand.run([
                manifests, "--url", "http://front:\(mesh.port)/", "-H", "Host: \(host)", "--from", "mesh",
            ])
            #expect(
                (told.code == 0) == (answer.status == 200), "\(host): \(answer.status) \(answer.text)\n\(told.text)")
            if answer.status != 200 {
                #expect(told.text.contains("answer     \(answer.status): "), "\(host): \(answer.status)\n\(told.text)")
            }
        }
        #expect(statuses == [200, 403, 404, 500, 503])
    }

    private static let groups =
        Mesh.front(port: 15_099, ["sluice.dev/egress": "allow"])
            + """
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: mesh}
            spec: {ports: [{name: http, port: 80}, {name: https, port: 443}, {name: none, port: 99}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: cart, namespace: mesh, labels: {kubernetes.io/service-name: cart}}
            addressType: IPv4
            ports: [{name: http, port: 8080}, {name: https, port: 8443}]
            endpoints: [{addresses: [10.1.0.1]}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: out, namespace: far, annotations: {sluice.dev/group: by-name}}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: calls, protocol: HTTP, port: 15097}]
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: named, namespace: far}
            spec: {type: DynamicResolver}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: payments, namespace: far}
            spec:
              parentRefs: [{name: out}]
              hostnames: ["*.payments.example", localhost]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: named}]}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: partner, namespace: far}
            spec:
              parentRefs: [{name: out}]
              hostnames: [api.partner.example]
              rules:
              - matches: [{path: {type: PathPrefix, value: /orders}}]
                backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: named}]
            ---

            """

    @Test(
        arguments: [
            // Targets on this machine and its links.
            (
                ["--url", "http://169.254.169.254/latest"], 1,
                ["answer     403: an address of this machine or its links"]
            ),
            (["--url", "http://127.0.0.1:29421/"], 1, ["answer     403: an address of this machine or its links"]),
            (
                ["--url", "http://localhost:29421/", "--gateway", "mesh/front"], 1,
                ["answer     403: an address of this machine or its links"]
            ),
            (
                ["--connect", "localhost:29421", "--gateway", "mesh/front"], 1,
                ["answer     reset: an address of this ma"]
            ),
            (
                ["--connect", "localhost:29421", "--sni", "localhost"], 1,
                ["answer     reset: an address of this machine"]
            ),
            (["--url", "http://192.0.2.7/"], 0, ["egress     as asked", "the request's own host"]),
            // TLS of the caller's own.
            (
                ["--url", "https://cart.mesh/"], 0,
                ["explained as --connect cart.mesh:443 --sni cart.mesh\n", "port 443 (tls)", "→ 10.1.0.1:8443"]
            ),
            (
                ["--url", "https://cart.mesh:81/"], 1,
                ["answer     reset (CONNECT: 404): Service mesh/cart has no such"]
            ),
            (
                ["--url", "https://eu.payments.example/"], 0,
                ["listener   far/out 'calls'", "TLSRoute far/payments", "egress     as written"]
            ),
            (
                ["--url", "https://eu.payments.example:15097/"], 1,
                [
                    "speak no TLS; write http://, or for TLS that is brought to the gateway --connect eu.payments.example:443"
                ]
            ),
            // What a port declares.
            (["--connect", "cart.mesh:80"], 0, ["spoken     requests, as the port declares\n"]),
            (["--connect", "cart.mesh:80", "--tcp"], 1, ["answer     answered 400 and closed: the service's port"]),
            (["--connect", "cart.mesh:80", "--sni", "cart.mesh"], 1, ["and this is TLS, whose handshake fails"]),
            (["--connect", "127.0.0.1:15099", "--tcp"], 1, ["answer     answered 400 and closed: the listener takes"]),
            (
                ["--connect", "127.0.0.1:15099", "--sni", "a"], 1,
                ["answer     answered 400 and closed: the listener takes"]
            ),
            (
                ["--connect", "cart.mesh:99", "--tcp"], 1,
                ["no endpoint: reset", "answer     reset: no backend of the rule"]
            ),
            // Hosts that routes have for requests alone.
            (
                ["--connect", "api.partner.example:80"], 0,
                [
                    "ask with --url http://api.partner.example:80/\n",
                    "egress     as written: a route of the Gateway has its",
                ]
            ),
            (
                ["--connect", "api.partner.example:443", "--sni", "api.partner.example"], 1,
                [
                    "answer     reset: api.partner.example",
                    "egress     denied: the routes of the Gateway have its requests",
                ]
            ),
            (
                ["--url", "http://api.partner.example/other"], 1,
                ["egress     denied: a route of the Gateway has the host, but none takes such a request"]
            ),
            // Which of several Gateways.
            (
                ["--url", "http://api.partner.example/orders"], 0,
                ["listener   far/out 'calls'", "HTTPRoute far/partner"]
            ),
            (
                ["--url", "http://nobody.example/"], 0,
                [
                    "note: no service or route of 2 groups has this host: asked of Gateway mesh/front; "
                        + "--gateway chooses another: far/out\n"
                ]
            ),
            (
                ["--url", "http://nobody.example/", "--gateway", "far/out"], 1,
                ["listener   far/out 'calls'", "answer     403: no service of the group is called nobody.example"]
            ),
            (["--connect", "nobody.example:1", "--gateway", "far/out"], 1, ["answer     reset (CONNECT: 403)"]),
            (["--url", "http://nobody.example:15099/", "--gateway", "far/out"], 1, ["listener   far/out 'calls'"]),
            (
                ["--url", "http://a/", "--gateway", "far/oot"], 2,
                ["'far/oot': no Gateway that listens", "mean far/out?"]
            ),
            // What was meant.
            (["--url", "http://cart.msh/"], 0, ["note: no service is called 'cart.msh'; did you mean 'cart.mesh'?\n"]),
            (["--connect", "crt:80"], 0, ["note: no service is called 'crt'; did you mean 'cart'?\n"]),
            (["--url", "http://cart.mesh/", "--from", "msh"], 0, ["is in namespace 'msh'; did you mean 'mesh'?\n"]),
            (["--url", "http://cart.mesh/", "--from", "msh/a"], 0, ["is in namespace 'msh'; did you mean 'mesh'?\n"]),
            (
                ["--url", "http://10.1.0.1:77/"], 1,
                [
                    "answer     404: 10.1.0.1 is the address of an endpoint of Service mesh/cart, which has no port 77; it "
                        + "has 80, 443, 99; name a service in Host\n"
                ]
            ),
        ] as [([String], UInt8, [String])])
    func whatBecomesOfIt(arguments: [String], code: UInt8, parts: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mesh.yaml", Self.groups)
        let told = try ExplainCommand.run([path] + arguments)
        #expect(told.code == code, "\(told.text)")
        for part in parts { #expect(told.text.contains(part), "\(part) in\n\(told.text)") }
        guard code != 2 else { return }
        let json = try ExplainCommand.run([path, "-o", "json"] + arguments)
        #expect(json.code == code && json.text.contains("\"served\":\(code == 0),"), "\(json.text)")
    }

    @Test func whatCheckFindsIsCounted() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "mesh.yaml",
            Self.groups + Mesh.route(to: "cart", "rules: [{backendRefs: [{name: nobody, port: 80}]}]"))
        let told = try ExplainCommand.run([path, "--url", "http://cart.mesh/"])
        #expect(told.code == 1 && told.text.contains("answer     500: no backend of the rule is valid"), "\(told.text)")
        #expect(told.text.contains("note: the manifests have 1 error, 1 warning: sluice check\n"), "\(told.text)")
        let partly = try folder.write(
            "mesh.yaml",
            Self.groups
                + Mesh.route(
                    to: "cart",
                    "rules: [{backendRefs: [{name: nobody, port: 80, weight: 1}, {name: cart, port: 80, weight: 3}]}]"))
        let some = try ExplainCommand.run([partly, "--url", "http://cart.mesh/"])
        #expect(some.code == 0, "\(some.text)")
        #expect(
            some.text.contains("note: 25.0 % of such calls come to backends that cannot serve them\n"), "\(some.text)")
        let clean = try folder.write(
            "clean.yaml", Mesh.front(port: 15_099) + Mesh.service("cart", "http", 80, endpoint: 9001))
        let well = try ExplainCommand.run([clean, "--url", "http://cart.mesh/"])
        #expect(!well.text.contains("the manifests have"), "\(well.text)")
    }

    /// HBONE is for callers who show a certificate of the trust domain.
    @Test(
        arguments: [
            (["--from", "spiffe://cluster.local/ns/shop/sa/web"], 0, "service    shop/cart, port 80"),
            (
                ["--from", "spiffe://other/ns/shop/sa/web"], 1,
                "answer     refused in the handshake: the certificate is of trust domain 'other', and the Gateway believes "
                    + "those of 'cluster.local' (sluice.dev/trust-domain)\n"
            ),
            (
                ["--from", "127.0.0.1"], 1,
                "answer     refused in the handshake: HBONE wants a certificate of the caller"
            ),
            ([], 1, "answer     refused in the handshake: HBONE wants a certificate of the caller"),
        ] as [([String], UInt8, String)])
    func whomHBONERefuses(caller: [String], code: UInt8, part: String) throws {
        let mesh = try MeshFolder()
        try mesh.workload("waypoint")
        let path = try mesh.folder.write(
            "mesh.yaml",
            mesh.waypoint(15_008)
                + MeshFolder.service("cart", port: 9001, labels: "istio.io/use-waypoint: waypoint"))
        for subject in [["--url", "http://cart.shop/"], ["--connect", "cart.shop:80"]] {
            let told = try ExplainCommand.run([path] + subject + caller)
            #expect(told.code == code && told.text.contains(part), "\(told.text)")
            #expect(told.text.contains("service    shop/cart, port 80"), "\(told.text)")
        }
    }

    /// A way out is told as it is written; through HBONE it is one for octets on every port.
    @Test(
        arguments: [
            ("hbone://localhost:25208,hbone://127.0.0.1:25209", ["--url", "http://cart.shop/"], true),
            ("hbone://localhost:25208,hbone://127.0.0.1:25209", ["--connect", "cart.shop:81", "--tcp"], true),
            ("hbone://localhost:25208", ["--connect", "cart.shop:81", "--tcp"], true),
            ("localhost:25208", ["--url", "http://cart.shop/"], true),
            ("localhost:25208", ["--connect", "cart.shop:81", "--tcp"], false),
        ] as [(String, [String], Bool)])
    func theWayOutAsItIsWritten(central: String, subject: [String], isThere: Bool) throws {
        let mesh = try MeshFolder()
        try mesh.workload("front")
        let path = try mesh.folder.write(
            "mesh.yaml",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: front
              namespace: shop
              annotations: {\(mesh.annotations("front")), sluice.dev/group: by-name, sluice.dev/fallback-gateway: '\(central)'}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: http, port: 15099, protocol: HTTP}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop, labels: {sluice.dev/gateway: front}}
            spec: {ports: [{name: http, port: 80}, {name: any, port: 81}]}

            """)
        let told = try ExplainCommand.run([path] + subject)
        #expect(told.code == (isThere ? 0 : 1), "\(told.text)")
        #expect(told.text.contains("fallback   ") == isThere, "\(told.text)")
        guard isThere else { return }
        for place in central.split(separator: ",") {
            let line = told.text.split(separator: "\n").first { $0.hasPrefix("fallback   ") } ?? ""
            #expect(line.contains(place), "\(told.text)")
        }
    }
}
