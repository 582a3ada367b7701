import Core
import Glibc
import IO
import Support
import Testing

/// TCPRoutes and UDPRoutes through the program itself.
@Suite(.serialized) struct RelayTests {
    private static let ip = IPAddress(v4: 127, 0, 0, 1)

    /// A Gateway with a TCP and a UDP listener on one port, a route each, and Services for `tcp` and `udp`.
    private static func site(port: UInt16, tcp: UInt16, udp: UInt16) -> String {
        func route(_ kind: String, _ name: String, _ section: String) -> String {
            """
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: \(kind)
            metadata: {name: \(name), namespace: default}
            spec:
              parentRefs:
              - {name: gateway, sectionName: \(section)}
              rules:
              - backendRefs:
                - {name: \(name), port: 80}
            ---

            """
        }
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: gateway, namespace: default}
            spec:
              gatewayClassName: sluice
              addresses:
              - {type: IPAddress, value: 127.0.0.1}
              listeners:
              - {name: octets, protocol: TCP, port: \(port)}
              - {name: datagrams, protocol: UDP, port: \(port)}
            ---

            """ + route("TCPRoute", "tcp", "octets") + route("UDPRoute", "udp", "datagrams")
                + Manifests.service("tcp", port: tcp) + Manifests.service("udp", port: udp, protocol: "UDP")
    }

    /// Answers every datagram with itself, on a thread of its own, until it goes.
    private final class DatagramEcho: @unchecked Sendable {
        let port: UInt16
        private let fd: SharedFD

        init() throws {
            fd = SharedFD(try Socket.listen(ListeningAddress(.udp, SocketAddress(ip: RelayTests.ip, port: 0))))
            port = try #require(Socket.localAddress(fd.raw)).port
            let fd = fd
            Threads.start { [weak self] in
                let batch = DatagramBatch()
                while self != nil {
                    var question = pollfd(fd: fd.raw, events: Int16(POLLIN), revents: 0)
                    guard poll(&question, 1, 50) > 0, batch.receive(fd.raw, addressed: true) == .received else {
                        continue
                    }
                    for index in 0..<batch.count {
                        guard let peer = batch.peer(index) else { continue }
                        batch.address(index..<(index + 1), to: peer, from: nil, socketIsV6: false)
                        _ = batch.send(index..<(index + 1), fd.raw)
                    }
                }
            }
        }
    }

    /// Whether a datagram comes back within half a second.
    private func echoes(_ fd: CInt, _ text: String) -> Bool {
        let octets = Array(text.utf8)
        guard send(fd, octets, octets.count, 0) == octets.count else { return false }
        var question = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        guard poll(&question, 1, 500) > 0 else { return false }
        var block = [UInt8](repeating: 0, count: 2048)
        return recv(fd, &block, block.count, 0) == octets.count && block.starts(with: octets)
    }

    /// 64 MiB that repeat nowhere soon.
    private static func block(_ number: Int) -> [UInt8] {
        [UInt8(number >> 8), UInt8(number & 255)] + pattern
    }
    private static let pattern = (2..<65536).map { UInt8(truncatingIfNeeded: ($0 &* 31) >> 2) }

    @Test func aLongDownloadSurvivesReloads() throws {
        let blocks = 1024
        let backend = try Backend("bulk") { _, connection, _ in
            // It speaks when it has been told everything: half-closing passes.
            _ = try connection.readToEnd()
            for number in 0..<blocks { try connection.send(RelayTests.block(number)) }
            connection.finishSending()
        }
        let echo = try DatagramEcho()
        defer { withExtendedLifetime(echo) {} }
        let port = try Ports.free()
        let text = Self.site(port: port, tcp: backend.port, udp: echo.port)
        let gateway = try Gateway(text, workers: 2, options: ["--access-log", "json"])
        let client = try Client(port: port, patience: .seconds(30))
        try client.send("go")
        client.finishSending()
        for number in 0..<blocks {
            #expect(try client.read(65536) == Self.block(number), "block \(number)")
            if number % 100 == 50 { try gateway.reload(["gateway.yaml": text + "# \(number)\n"]) }
        }
        #expect(try client.readToEnd().isEmpty)
        try Wait.until("its record; there is:\n\(gateway.output)") {
            gateway.output.contains("\"scheme\":\"tcp\"")
                && gateway.output.contains("\"bytes_received\":2,\"bytes_sent\":\(blocks * 65536)")
                && gateway.output.contains("\"route\":\"default/tcp\"")
        }
        let metrics = try gateway.admin("/metrics").text
        #expect(metrics.contains("sluice_relays_total{reason=\"-\"} 1\n"))
        #expect(metrics.contains("sluice_relay_sent_bytes_total \(blocks * 65536)\n"))
        #expect(try gateway.stop() == .exited(code: 0))
    }

    /// Policies of Envoy Gateway ask for the PROXY protocol on both sides.
    @Test func whoCallsIsToldFromProxyToProxy() throws {
        let backend = try Backend("echo") { _, connection, _ in
            let line = try connection.readLine()
            try connection.send("told: " + line + "\r\n")
            _ = try connection.readToEnd()
        }
        let web = try Backend()
        let (port, httpPort) = (try Ports.free(), try Ports.free())
        let manifests = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: gateway, namespace: default}
            spec:
              gatewayClassName: sluice
              addresses:
              - {type: IPAddress, value: 127.0.0.1}
              listeners:
              - {name: octets, protocol: TCP, port: \(port)}
              - {name: web, protocol: HTTP, port: \(httpPort)}
            ---
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: TCPRoute
            metadata: {name: tcp, namespace: default}
            spec:
              parentRefs:
              - {name: gateway, sectionName: octets}
              rules:
              - backendRefs:
                - {name: tcp, port: 80}
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: ClientTrafficPolicy
            metadata: {name: in, namespace: default}
            spec:
              targetRefs:
              - {group: gateway.networking.k8s.io, kind: Gateway, name: gateway}
              proxyProtocol: {optional: false}
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: out, namespace: default}
            spec:
              targetRefs:
              - {group: gateway.networking.k8s.io, kind: TCPRoute, name: tcp}
              proxyProtocol: {version: V1}
            ---

            """ + Manifests.service("tcp", port: backend.port) + Manifests.route(to: "web")
            + Manifests.service("web", port: web.port)
        let gateway = try Gateway(manifests)
        let client = try Client(port: port)
        try client.send("PROXY TCP4 192.0.2.7 198.51.100.9 4000 25\r\n")
        #expect(try client.readLine() == "told: PROXY TCP4 192.0.2.7 198.51.100.9 4000 25")
        let browser = try Client(port: httpPort)
        try browser.send("PROXY TCP6 2001:db8::7 2001:db8::9 4000 80\r\n")
        #expect(try browser.request().status == 200)
        #expect(web.requests.first?["x-forwarded-for"] == "2001:db8::7")
        let stranger = try Client(port: httpPort)
        try stranger.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect((try? stranger.readToEnd())?.isEmpty ?? true)
        _ = gateway
    }

    @Test func sessionsOutliveAReloadAndAWorkersDeathCostsOnlyItsOwn() throws {
        let backend = try Backend()
        let echo = try DatagramEcho()
        defer { withExtendedLifetime(echo) {} }
        let port = try Ports.free()
        let text = Self.site(port: port, tcp: backend.port, udp: echo.port)
        let gateway = try Gateway(text, workers: 2)
        let clients = try (0..<16).map { _ in
            SharedFD(try Socket.connectDatagrams(SocketAddress(ip: Self.ip, port: port)))
        }
        for (number, client) in clients.enumerated() { #expect(echoes(client.raw, "first \(number)")) }
        try gateway.reload(["gateway.yaml": text + "# again\n"])
        for (number, client) in clients.enumerated() { #expect(echoes(client.raw, "second \(number)")) }
        #expect(try gateway.admin("/metrics").text.contains("sluice_datagram_sessions_total 16\n"))
        let victim = try #require(gateway.worker(0))
        kill(victim, SIGKILL)
        try Wait.until("another worker") { gateway.worker(0).map { $0 != victim } ?? false }
        // What was in its socket waits for the next worker; nobody needs to send twice once it is there.
        try Wait.until("an answer for everybody") { clients.allSatisfy { echoes($0.raw, "third") } }
        // TCP on the same port goes on, too.
        #expect(try Client(port: port).request().status == 200)
        let death = try gateway.stop()
        #expect(death == .exited(code: 0))
    }
}
