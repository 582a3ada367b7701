import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

/// What a gateway does with requests that it cannot serve itself, where a central one is named.
@Suite(.serialized) struct FallbackTests {
    /// A Gateway that names central ones, and a route of everything to one backend.
    private static func manifest(
        port: UInt16, backend: UInt16, central: [String], rule: String = "", more: String = ""
    ) -> String {
        annotated(Manifests.simple(ports: [port], backend: backend, rule: rule), "gateway", central) + more
    }

    /// Adds the annotation to the resource of this name.
    private static func annotated(_ text: String, _ name: String, _ central: [String]) -> String {
        text.replacing(
            "metadata: {name: \(name), namespace: default}",
            with: "metadata:\n  name: \(name)\n  namespace: default\n  annotations:\n"
                + "    sluice.dev/fallback-gateway: '\(central.joined(separator: ","))'", maxReplacements: 1)
    }

    private func metric(_ name: String, _ gateway: Gateway) throws -> Int {
        let lines = try gateway.admin("/metrics").text.split(separator: "\n")
        return lines.filter { $0.hasPrefix(name) }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            .reduce(0, +)
    }

    @Test func aBackendThatIsGoneIsReplacedByTheCentralGatewayUntilItIsBack() throws {
        var local: Backend? = try Backend("local")
        let address = try #require(local?.port)
        let central = try Backend("central")
        let port = try Ports.free()
        let gateway = try Gateway(
            Self.manifest(
                port: port, backend: address, central: [central.address],
                rule: """
                    filters:
                        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-edited, value: here}]}}
                        - type: URLRewrite
                          urlRewrite: {hostname: other.example, path: {type: ReplaceFullPath, replaceFullPath: /rewritten}}
                        - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-answered, value: here}]}}
                    """))
        let client = try Client(port: port)
        let own = try client.request("GET", "/a/../b?q=1", host: "shop.default", fields: [("X-Sluice-Hop", "1")])
        #expect(own.text == "local" && own["x-answered"] == "here")
        // The mark is between gateways; backends do not see it.
        let seen = try #require(local?.requests.last)
        #expect(seen["x-sluice-hop"] == nil && seen.target == "/rewritten?q=1" && seen["x-edited"] == "here")
        local?.stop()
        local = nil
        let watch = Stopwatch()
        let answer = try client.request("GET", "/a/../b?q=1", host: "shop.default")
        #expect(answer.text == "central" && answer["x-answered"] == nil)
        // As the client sent it, with the mark: the rules for it are there.
        let request = try #require(central.requests.last)
        #expect(request["host"] == "shop.default" && request.target == "/b?q=1" && request["x-edited"] == nil)
        #expect(request.all("x-sluice-hop") == ["1"] && request["x-forwarded-for"] == "127.0.0.1")
        for _ in 0..<5 { #expect(try client.request().text == "central") }
        #expect(watch.elapsed < .seconds(5))
        #expect(try client.request("POST", "/", body: Array("a body".utf8)).text == "central")
        #expect(central.requests.last?.text == "a body")
        #expect(gateway.output.contains("requests go to the central gateway"))
        #expect(try metric("sluice_fallback_requests_total", gateway) == 7)
        #expect(try metric("sluice_fallback_diverted_backends", gateway) == 1)
        #expect(try gateway.admin("/api/backends").text.contains(central.address))
        #expect(try gateway.admin("/api/backends").text.contains("\"divertedWorkers\":1"))

        local = try Backend("back", port: address)
        let back = Stopwatch()
        try Wait.until("the backend to be used again") { try client.request().text == "back" }
        #expect(back.elapsed < .seconds(5))
        try Wait.until("the log to say so") { gateway.output.contains("served from here again") }
        #expect(try metric("sluice_fallback_diverted_backends", gateway) == 0)
        #expect(try metric("sluice_fallback_diversions_total", gateway) == 1)
    }

    @Test func whatWasHandedOnStaysHere() throws {
        let central = try Backend("central")
        let port = try Ports.free()
        let gateway = try Gateway(
            Self.manifest(port: port, backend: try Ports.free(), central: [central.address]))
        let client = try Client(port: port)
        for mark in ["1", "0", "x", ""] {
            #expect(try client.request(fields: [("X-Sluice-Hop", mark)]).status == 503)
        }
        #expect(central.requests.isEmpty)
        #expect(try client.request().text == "central")
        _ = gateway
    }

    @Test func twoThatNameEachOtherPassNothingRound() throws {
        let ports = [try Ports.free(), try Ports.free()]
        let nobody = try Ports.free()
        let gateways = try [0, 1].map { one in
            try Gateway(
                Self.manifest(port: ports[one], backend: nobody, central: ["127.0.0.1:\(ports[1 - one])"]))
        }
        #expect(try Client(port: ports[0]).request().status == 503)
        #expect(try Client(port: ports[1]).request().status == 503)
        #expect(try metric("sluice_fallback_requests_total", gateways[0]) == 1)
        #expect(try metric("sluice_fallback_requests_total", gateways[1]) == 1)
    }

    @Test func aServicesOwnWordCountsAndOneWithoutEndpointsIsHandedOn() throws {
        let general = try Backend("general")
        let special = try Backend("special")
        let port = try Ports.free()
        var text = Self.manifest(port: port, backend: try Ports.free(), central: [general.address])
        text = Self.annotated(text, "backend", [special.address])
        text += """
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: lonely, namespace: default}
            spec:
              parentRefs: [{name: gateway}]
              hostnames: [lonely.example]
              rules: [{backendRefs: [{name: lonely, port: 80}]}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: lonely, namespace: default}
            spec: {ports: [{name: http, port: 80}]}

            """
        let gateway = try Gateway(text)
        #expect(try Client(port: port).request().text == "special")
        #expect(try Client(port: port).request("GET", "/", host: "lonely.example").text == "general")
        _ = gateway
    }

    @Test func whatDiesUnderARequestIsHandedOnWhenItMayBeRepeated() throws {
        let local = try Backend("local") { _ in .close }
        let central = try Backend("central")
        let port = try Ports.free()
        let gateway = try Gateway(Self.manifest(port: port, backend: local.port, central: [central.address]))
        let client = try Client(port: port)
        #expect(try client.request().text == "central")
        #expect(try client.request("PUT", "/", body: Array("again".utf8)).text == "central")
        #expect(central.requests.last?.text == "again")
        #expect(try client.request("POST", "/", body: Array("once".utf8)).status == 503)
        #expect(central.requests.count == 2 && local.requests.count == 3)
        // It takes connections: nothing is diverted.
        #expect(try metric("sluice_fallback_diversions_total", gateway) == 0)
    }

    @Test func whatIsTooMuchHereGoesThere() throws {
        let release = Mutex(false)
        let local = try Backend("local") { _ in
            while !release.withLock({ $0 }) { usleep(1_000) }
            return .response(body: "local")
        }
        let central = try Backend("central")
        let port = try Ports.free()
        let gateway = try Gateway(
            Self.manifest(
                port: port, backend: local.port, central: [central.address],
                more: """
                    ---
                    apiVersion: gateway.envoyproxy.io/v1alpha1
                    kind: BackendTrafficPolicy
                    metadata: {name: traffic, namespace: default}
                    spec:
                      targetRefs:
                      - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}
                      circuitBreaker: {maxParallelRequests: 1, maxPendingRequests: 0}

                    """))
        let first = try Client(port: port)
        try first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try Wait.until("the first to be under way") { local.requests.count == 1 }
        for _ in 0..<3 { #expect(try Client(port: port).request().text == "central") }
        release.withLock { $0 = true }
        #expect(try first.readResponse().text == "local")
        #expect(try metric("sluice_fallback_diversions_total", gateway) == 0)
        #expect(try Client(port: port).request().text == "local")
    }

    @Test func withNobodyAnywhereTheAnswerIsOurs() throws {
        let port = try Ports.free()
        let backend = try Ports.free()
        let gateway = try Gateway(
            Self.manifest(port: port, backend: backend, central: ["127.0.0.1:\(try Ports.free())"]))
        let client = try Client(port: port)
        for _ in 0..<3 { #expect(try client.request().status == 503) }
        #expect(try metric("sluice_fallback_failures_total", gateway) == 3)
        let local = try Backend("local", port: backend)
        // While it counts as gone it is asked nevertheless, when nobody else answers.
        #expect(try client.request().text == "local")
        _ = local
    }

    @Test func connectionsBelowHTTPAreHandedOnToo() throws {
        var local: Backend? = try Backend("local") { _, connection, _ in try connection.send("local\n") }
        let address = try #require(local?.port)
        let central = try Backend("central") { _, connection, _ in try connection.send("central\n") }
        let port = try Ports.free()
        let gateway = try Gateway(
            Self.manifest(port: port, backend: address, central: [central.address])
                .replacing("protocol: HTTP,", with: "protocol: TCP,").replacing(
                    "kind: HTTPRoute", with: "kind: TCPRoute"
                )
                .replacing("networking.k8s.io/v1\nkind: TCPRoute", with: "networking.k8s.io/v1alpha2\nkind: TCPRoute"))
        #expect(try Client(port: port).readLine() == "local")
        local?.stop()
        local = nil
        for _ in 0..<3 { #expect(try Client(port: port).readLine() == "central") }
        local = try Backend("back", port: address) { _, connection, _ in try connection.send("back\n") }
        try Wait.until("the backend to be used again") { try Client(port: port).readLine() == "back" }
        #expect(try metric("sluice_fallback_connections_total", gateway) >= 3)
    }

    // MARK: groups

    private static func group(_ gateway: String, port: UInt16, backend: UInt16, annotation: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          name: \(gateway)
          namespace: shop
          annotations:
            sluice.dev/group: by-name
            \(annotation)
        spec:
          gatewayClassName: sluice
          addresses: [{type: IPAddress, value: 127.0.0.1}]
          listeners: [{name: http, protocol: HTTP, port: \(port)}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: stock, namespace: shop, labels: {sluice.dev/gateway: \(gateway)}}
        spec: {ports: [{name: http, port: 80}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: stock-1, namespace: shop, labels: {kubernetes.io/service-name: stock}}
        addressType: IPv4
        ports: [{name: http, port: \(backend)}]
        endpoints: [{addresses: [127.0.0.1]}]

        """
    }

    /// The central gateway finds the member by the name that the caller used.
    @Test func aCallByNameIsHandedOnToTheGroupsGateway() throws {
        let backend = try Backend("stock of the group")
        let ports = [try Ports.free(), try Ports.free()]
        let central = try Gateway(Self.group("shop-group", port: ports[1], backend: backend.port))
        let gateway = try Gateway(
            Self.group(
                "shop-local", port: ports[0], backend: try Ports.free(),
                annotation: "sluice.dev/fallback-gateway: 127.0.0.1:\(ports[1])"))
        let client = try Client(port: ports[0])
        for host in ["stock", "stock.shop", "stock.shop.svc.cluster.local"] {
            #expect(try client.request("GET", "/", host: host).text == "stock of the group", "\(central.output)")
        }
        #expect(try metric("sluice_fallback_requests_total", gateway) == 3)
    }

    /// Through what leads to one member nobody reaches another one at the central gateway, whatever the request's host says.
    @Test func aCallInATunnelIsHandedOnAsTheMembersThatTheTunnelIsFor() throws {
        let backend = try Backend("stock of the group")
        let other = try Backend("another of the group")
        let ports = [try Ports.free(), try Ports.free()]
        let both = { (gateway: String, port: UInt16, backend: UInt16, other: UInt16, annotation: String) in
            let text = Self.group(gateway, port: port, backend: backend, annotation: annotation)
            let services = Self.group(gateway, port: port, backend: other).split(separator: "---\n").dropFirst()
            return text + services.map { "---\n" + $0.replacing("stock", with: "secret") }.joined()
        }
        let central = try Gateway(both("shop-group", ports[1], backend.port, other.port, ""))
        let gateway = try Gateway(
            both(
                "shop-local", ports[0], try Ports.free(), try Ports.free(),
                "sluice.dev/fallback-gateway: 127.0.0.1:\(ports[1])"))
        let tunnelled = try Client(port: ports[0])
        try tunnelled.send("CONNECT stock.shop:80 HTTP/1.1\r\nHost: stock.shop:80\r\n\r\n")
        #expect(try tunnelled.readHead().status == 200)
        for host in ["secret.shop", "secret.shop:80", "stock.shop:81", "x"] {
            #expect(try tunnelled.request("GET", "/", host: host).text == "stock of the group", "\(central.output)")
            #expect(backend.requests.last?["host"] == "stock.shop:80")
        }
        // A whole name stays as the client wrote it; a short one depends on who calls.
        let client = try Client(port: ports[0])
        for (host, written) in [
            ("stock.shop", "stock.shop"), ("Stock.shop.svc:80", "Stock.shop.svc:80"), ("stock", "stock.shop:80"),
        ] {
            #expect(try client.request("GET", "/", host: host).text == "stock of the group")
            #expect(backend.requests.last?["host"] == written)
        }
        #expect(other.requests.isEmpty)
        _ = gateway
    }

    /// Where egress is allowed, a request to somewhere else that names a member is not handed on: it would be taken for it.
    @Test func aCallThatLeavesTheGroupDoesNotComeBackAsAMembers() throws {
        let backend = try Backend("stock of the group")
        let ports = [try Ports.free(), try Ports.free()]
        let central = try Gateway(Self.group("shop-group", port: ports[1], backend: backend.port))
        let gateway = try Gateway(
            Self.group(
                "shop-local", port: ports[0], backend: try Ports.free(),
                annotation: "sluice.dev/egress: allow\n    sluice.dev/fallback-gateway: 127.0.0.1:\(ports[1])"))
        let client = try Client(port: ports[0])
        // Nobody is there (RFC 5737).
        try client.send("CONNECT 198.51.100.1:80 HTTP/1.1\r\nHost: 198.51.100.1:80\r\n\r\n")
        #expect(try client.readHead().status == 200)
        #expect(try client.request("GET", "/", host: "stock.shop").status == 503, "\(gateway.output)")
        #expect(backend.requests.isEmpty, "\(central.output)")
        _ = gateway
    }

    /// Whoever calls the address of one endpoint means that one. That it is gone says nothing of the others.
    @Test func aCallToOneEndpointThatIsGoneDivertsNobody() throws {
        let backend = try Backend("stock here")
        let central = try Backend("central")
        let port = try Ports.free()
        let gateway = try Gateway(
            Self.group(
                "shop-local", port: port, backend: backend.port,
                annotation: "sluice.dev/fallback-gateway: \(central.address)"
            )
            .replacing("[{addresses: [127.0.0.1]}]", with: "[{addresses: [127.0.0.1]}, {addresses: [127.0.0.9]}]"))
        let client = try Client(port: port)
        #expect(try client.request("GET", "/", host: "127.0.0.9:\(backend.port)").status == 503, "\(gateway.output)")
        #expect(try client.request("GET", "/", host: "127.0.0.1:\(backend.port)").text == "stock here")
        for _ in 0..<4 { #expect(try client.request("GET", "/", host: "stock.shop").text == "stock here") }
        #expect(central.requests.isEmpty)
        #expect(try metric("sluice_fallback_diversions_total", gateway) == 0)
    }

    /// The central gateway would go by what it reads in the octets. So only a member's one port that is declared is handed on.
    @Test(arguments: [("tcp", "", true), ("tcp", ", {name: tcp-other, port: 81}", false), ("http", "", false)])
    func octetsOfAMemberAreHandedOnWhereTheyCanBeNothingElse(name: String, more: String, isHandedOn: Bool) throws {
        let central = try Backend("central") { _, connection, _ in
            // A probe says nothing.
            if try connection.readLine() == "octets" { try connection.send("central\n") }
        }
        let port = try Ports.free()
        let text = Self.group("shop-local", port: port, backend: try Ports.free())
            .replacing("[{name: http, port: 80}]", with: "[{name: \(name), port: 80}\(more)]")
            .replacing("ports: [{name: http, port:", with: "ports: [{name: \(name), port:")
            .replacing(
                "labels: {sluice.dev/gateway: shop-local}}",
                with: "labels: {sluice.dev/gateway: shop-local}, annotations: "
                    + "{sluice.dev/fallback-gateway: '\(central.address)'}}")
        let gateway = try Gateway(text)
        let client = try Client(port: port)
        try client.send("CONNECT stock.shop:80 HTTP/1.1\r\nHost: stock.shop:80\r\n\r\n")
        #expect(try client.readHead().status == 200)
        try? client.send("octets\r\n\r\n")
        #expect(((try? client.readLine()) == "central") == isHandedOn, "\(gateway.output)")
    }

    /// What a guard says of an intercepted connection is believed where PROXY headers are: it leads to the member.
    @Test func aPROXYHeaderTellsWhomAnInterceptedConnectionWasFor() throws {
        let backend = try Backend("stock of the group")
        let port = try Ports.free()
        let gateway = try Gateway(
            Self.group("shop-group", port: port, backend: backend.port)
                .replacing("spec: {ports:", with: "spec: {clusterIP: 10.96.0.7, ports:")
                    + """
                    ---
                    apiVersion: gateway.envoyproxy.io/v1alpha1
                    kind: ClientTrafficPolicy
                    metadata: {name: proxied, namespace: shop}
                    spec:
                      targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: shop-group}]
                      proxyProtocol: {optional: true}

                    """)
        let intercepted = try Client(port: port)
        try intercepted.send("PROXY TCP4 192.0.2.1 10.96.0.7 40000 80\r\n")
        #expect(try intercepted.request("GET", "/", host: "whatever").text == "stock of the group", "\(gateway.output)")
        #expect(backend.requests.last?["x-forwarded-for"] == "192.0.2.1")
        // The gateway's own address leads nowhere by itself: the host says whom.
        let called = try Client(port: port)
        try called.send("PROXY TCP4 192.0.2.1 127.0.0.1 40000 15080\r\n")
        #expect(try called.request("GET", "/", host: "stock.shop").text == "stock of the group")
        #expect(try called.request("GET", "/", host: "whatever").status == 403)
    }

    // MARK: several central gateways

    /// Two real ones behind one list: one is killed, all of it at once, and nobody notices.
    @Test func oneOfTwoCentralGatewaysIsKilled() throws {
        let backend = try Backend("served")
        let ports = [try Ports.free(), try Ports.free(), try Ports.free()]
        var centrals = try [1, 2].map {
            try Gateway(Manifests.simple(ports: [ports[$0]], backend: backend.port))
        }
        let gateway = try Gateway(
            Self.manifest(
                port: ports[0], backend: try Ports.free(), central: ["127.0.0.1:\(ports[1])", "127.0.0.1:\(ports[2])"]))
        let load = Load(port: ports[0], clients: 8)
        try load.waitForMore(100)
        for round in 0..<4 {
            let victim = round % 2
            centrals[victim].program.signal(SIGKILL)
            _ = try centrals[victim].program.waitForEnd()
            try load.waitForMore(200)
            centrals[victim] = try Gateway(Manifests.simple(ports: [ports[1 + victim]], backend: backend.port))
            try load.waitForMore(100)
        }
        let tally = try load.stop()
        #expect(tally.isClean, "\(tally)")
        _ = gateway
    }

    /// A central gateway whose workers die one after the other: the local one asks again.
    @Test func workersOfTheCentralGatewayAreKilledOneAfterTheOther() throws {
        let backend = try Backend("served")
        let ports = [try Ports.free(), try Ports.free()]
        let central = try Gateway(Manifests.simple(ports: [ports[1]], backend: backend.port), workers: 2)
        let gateway = try Gateway(
            Self.manifest(port: ports[0], backend: try Ports.free(), central: ["127.0.0.1:\(ports[1])"]), workers: 2)
        let load = Load(port: ports[0], clients: 8)
        try load.waitForMore(100)
        for round in 0..<6 {
            let victim = try Wait.forValue("a worker") { central.worker(round % 2) }
            kill(victim, SIGKILL)
            try Wait.until("another one") { central.worker(round % 2).map { $0 != victim } ?? false }
            try load.waitForMore(100)
        }
        let tally = try load.stop()
        #expect(tally.isClean, "\(tally)")
        _ = gateway
    }
}
