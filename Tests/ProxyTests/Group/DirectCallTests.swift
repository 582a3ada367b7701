import Config
import Core
import Testing

@testable import Proxy

/// Connections to a group's listener below HTTP itself, which nobody has sent elsewhere.
@Suite struct DirectCallTests {
    /// The routes of requests come first, so that a number of theirs is that of another rule, too.
    private func publish(
        _ harness: WorkerHarness, _ spoken: ListenerProtocol, member: MemberProtocol = .tls,
        _ change: (inout GatewayPlan) -> Void = { _ in }
    ) throws {
        try harness.publishGroup(member) { plan in
            plan.sockets[0].listeners[0].listenerProtocol = spoken
            change(&plan)
        }
    }

    @Test func octetsThatNameNobodyLeadNowhereWithoutARoute() throws {
        let harness = try WorkerHarness(backends: 2)
        try publish(harness, .tcp)
        let client = try harness.connect()
        client.send("*1\r\n$4\r\nPING\r\n")
        harness.expectEnd(client)
        #expect(try harness.tryAcceptBackend(0) == nil && harness.tryAcceptBackend(1) == nil)
        harness.until("the end") { harness.worker.registry.count == 0 }
    }

    @Test func octetsThatNameNobodyFollowTheRouteOfAllConnections() throws {
        let harness = try WorkerHarness(backends: 2)
        try publish(harness, .tcp) { $0.sockets[0].listeners[0].attachments.append(.init(hostnames: [""], route: 3)) }
        let client = try harness.connect()
        client.send("*1\r\n$4\r\nPING\r\n")
        harness.expect(try harness.acceptBackend(1), toReceive: "PING\r\n")
        client.resetsWhenGone()
    }

    @Test(arguments: [("web.shop", "200"), ("web.shop:81", "404"), ("denied.example", "403")])
    func requestsGoByTheirHost(_ host: String, _ status: String) throws {
        let harness = try WorkerHarness(backends: 2)
        try publish(harness, .tcp, member: .http)
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        if status == "200" {
            let backend = try harness.acceptBackend(0)
            harness.expect(backend, toReceive: "\r\n\r\n")
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        harness.expect(client, toReceive: "HTTP/1.1 \(status) ")
    }

    @Test(
        arguments: [ListenerProtocol.tcp, .tlsPassthrough],
        [("web.shop", 0), ("tls.example", 1), ("denied.example", nil)] as [(String, Int?)])
    func handshakesGoByTheirServerName(_ spoken: ListenerProtocol, _ called: (name: String, backend: Int?)) throws {
        let harness = try WorkerHarness(backends: 2)
        try publish(harness, spoken)
        let client = try harness.connect()
        client.send(Self.hello(called.name))
        if let number = called.backend {
            let backend = try harness.acceptBackend(number)
            harness.expect(backend, toReceive: called.name)
        } else {
            harness.expectEnd(client)
        }
        harness.settle()
        #expect(try harness.tryAcceptBackend(0) == nil && harness.tryAcceptBackend(1) == nil)
        client.resetsWhenGone()
    }

    /// A ClientHello with a server name (RFC 8446, section 4.1.2; RFC 6066, section 3) and nothing else.
    private static func hello(_ name: String) -> [UInt8] {
        func counted(_ octets: [UInt8], _ width: Int) -> [UInt8] {
            (0..<width).map { UInt8(truncatingIfNeeded: octets.count >> (8 * (width - 1 - $0))) } + octets
        }
        let names = counted([0] + counted(Array(name.utf8), 2), 2)
        let extensions = counted([0, 0] + counted(names, 2), 2)
        let body = [3, 3] + [UInt8](repeating: 7, count: 32) + [0] + counted([0x13, 0x01], 2) + [1, 0] + extensions
        return [22, 3, 1] + counted([1] + counted(body, 3), 2)
    }
}
