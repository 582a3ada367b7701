import Core
import Glibc
import IO
import Support
import Testing

@Suite("Reload", .serialized)
struct ReloadTests {
    @Test func whatChangedTakesEffectAndConnectionsLiveOn() throws {
        let (one, other) = (try Backend("one"), try Backend("other"))
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: one.port))
        let client = try Client(port: port)
        #expect(try client.request().text == "one")
        try gateway.reload(["gateway.yaml": Site.simple(port: port, backend: other.port)])
        #expect(try client.request().text == "other")
        #expect(gateway.generation == 2)
    }

    @Test func aMalformedSetChangesNothingAndSaysWhy() throws {
        let backend = try Backend("kept")
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: backend.port))
        let client = try Client(port: port)
        #expect(try client.request().text == "kept")
        try gateway.write(["broken.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prts: []}\n"])
        gateway.program.signal(SIGHUP)
        try Wait.until("the attempt to show") { try gateway.admin("/api/config").text.contains("\"ok\":false") }
        let config = try gateway.admin("/api/config").text
        #expect(config.contains("\"generation\":1,"))
        #expect(config.contains("broken.yaml") && config.contains("prts"))
        #expect(try gateway.admin("/metrics").text.contains("\nsluice_config_reload_failures_total 1\n"))
        #expect(try gateway.admin("/readyz").status == 200)
        #expect(try client.request().text == "kept")
    }

    @Test func anEmptiedFolderIsAMistake() throws {
        let backend = try Backend("kept")
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: backend.port))
        try gateway.write(["gateway.yaml": nil])
        let answer = try gateway.admin("/api/reload", method: "POST")
        #expect(answer.status == 422)
        #expect(answer.text.contains("\"ok\":false") && answer.text.contains("Gateway"))
        #expect(try Client(port: port).request().text == "kept")
    }

    @Test func aListenerThatIsGoneClosesItsPort() throws {
        let backend = try Backend("here")
        let (stays, goes) = (try Ports.free(), try Ports.free())
        let rest = Site.route(to: "shop") + Site.service("shop", port: backend.port)
        let gateway = try Gateway(Site.gateway([("stays", stays), ("goes", goes)]) + rest)
        let kept = try Client(port: stays)
        #expect(try kept.request().text == "here")
        let gone = try Client(port: goes)
        #expect(try gone.request().text == "here")
        try gateway.reload(["gateway.yaml": Site.gateway([("stays", stays)]) + rest])
        try Wait.until("the port to be closed") { Ports.isClosed(goes) }
        // Its client goes to whoever listens there next, instead of being told that nobody does.
        #expect(gone.isClosedByPeer(within: .milliseconds(900)))
        #expect(try kept.request().text == "here")
    }

    @Test func aListenerThatIsNewOpensItsPort() throws {
        let backend = try Backend("here")
        let (first, second) = (try Ports.free(), try Ports.free())
        let rest = Site.route(to: "shop") + Site.service("shop", port: backend.port)
        let gateway = try Gateway(Site.gateway([("first", first)]) + rest, workers: 2)
        try gateway.reload(["gateway.yaml": Site.gateway([("first", first), ("second", second)]) + rest])
        #expect(try Client(port: second).request().text == "here")
    }

    @Test func aPortThatIsTakenIsToldAndTheRestServes() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let rest = Site.route(to: "shop") + Site.service("shop", port: backend.port)
        let gateway = try Gateway(Site.gateway([("http", port)]) + rest)
        // The backend's own port: somebody else listens there, and without SO_REUSEPORT.
        let answer: Response
        try gateway.write(["gateway.yaml": Site.gateway([("http", port), ("taken", backend.port)]) + rest])
        answer = try gateway.admin("/api/reload", method: "POST")
        #expect(answer.status == 200)
        #expect(answer.text.contains("\"kind\":\"unresolved\""))
        #expect(try gateway.admin("/api/resources").text.contains("PortUnavailable"))
        #expect(try Client(port: port).request().text == "here")
        #expect(try gateway.admin("/metrics").text.contains("\nsluice_config_unbound_sockets 1\n"))
    }

    @Test func filesThatAreWatched() throws {
        let (one, other) = (try Backend("one"), try Backend("other"))
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: one.port), options: ["--watch"])
        try gateway.write(["gateway.yaml": Site.simple(port: port, backend: other.port)])
        try Wait.until("the change to be noticed") { gateway.generation == 2 }
        #expect(try Client(port: port).request().text == "other")
    }

    @Test func requestsForAReloadAllGetTheirAnswer() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: backend.port), workers: 2)
        let clients = try (0..<20).map { _ in try Client(path: gateway.folder.path + "/admin") }
        for client in clients {
            try client.send("POST /api/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        }
        for client in clients {
            let answer = try client.readResponse()
            #expect(answer.status == 200 && answer.text.contains("\"ok\":true"))
        }
        // Those that waited for one another became one.
        #expect((2...21).contains(gateway.generation))
    }

    @Test func aControllerThatDiesComesBackWithWhatRuns() throws {
        let (one, other) = (try Backend("one"), try Backend("other"))
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: one.port))
        let before = try #require(gateway.controller)
        // What lies on disk by now is not what runs.
        try gateway.write(["gateway.yaml": Site.simple(port: port, backend: other.port)])
        kill(before, SIGKILL)
        try Wait.until("another controller") { gateway.controller.map { $0 != before } ?? false }
        try gateway.waitUntilReady()
        #expect(gateway.generation == 1)
        #expect(try gateway.admin("/api/resources").text.contains("port\":\(one.port)"))
        #expect(try Client(port: port).request().text == "one")
        try gateway.reload()
        #expect(gateway.generation == 2)
        #expect(try Client(port: port).request().text == "other")
    }
}

@Suite("Backends by name", .serialized)
struct BackendNameTests {
    private func site(port: UInt16, backend: UInt16) -> String {
        Site.gateway([("http", port)]) + Site.route(to: "shop")
            + """
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: shop}
            spec:
              type: ExternalName
              externalName: shop.test
              ports: [{port: 80, targetPort: \(backend)}]

            """
    }

    @Test func aNameThatMovesTakesItsRequestsAlong() throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        let backend = try Backend("by name")
        let port = try Ports.free()
        // Nobody answers on the first address.
        dns.set("shop.test", .init(addresses: [IPAddress(v4: 127, 255, 255, 254)], life: 1))
        let gateway = try Gateway(
            site(port: port, backend: backend.port), options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        #expect(try Client(port: port).request().status == 503)
        dns.set("shop.test", .init(addresses: [IPAddress(v4: 127, 0, 0, 1)], life: 1))
        try Wait.until("the new address") { try Client(port: port).request().text == "by name" }
        #expect(gateway.generation == 1)
        #expect(try gateway.admin("/metrics").text.contains("\nsluice_dns_updates_total 1\n"))
        // DNS fails: the last address goes on.
        dns.set("shop.test", nil)
        try Wait.until("a failure") { try !gateway.admin("/metrics").text.contains("\nsluice_dns_failures_total 0\n") }
        #expect(try Client(port: port).request().text == "by name")
        // A reload keeps what is known.
        #expect(try gateway.admin("/api/reload", method: "POST").status == 200)
        #expect(try Client(port: port).request().text == "by name")
    }

    @Test func anUnknownNameDoesNotStopTheStart() throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        let port = try Ports.free()
        let gateway = try Gateway(site(port: port, backend: 9), options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        #expect(try Client(port: port).request().status == 503)
        #expect(try gateway.admin("/readyz").status == 200)
    }
}
