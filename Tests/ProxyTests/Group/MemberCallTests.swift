import AllocationCount
import Config
import Core
import Testing

@testable import Proxy

/// Requests to members of a group, in a worker.
@Suite struct MemberCallTests {
    private let response = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".utf8)

    /// A group with the member `shop/reviews`, whose requests of everybody are answered 404 by the route's rule for /none
    /// alone, and go to the backend for callers in `near`, where 127.0.0.1 is.
    private static func group(_ plan: inout GatewayPlan) {
        plan.routes.append(
            RoutePlan(
                kind: "HTTPRoute", namespace: "shop", name: "producer", rules: [WorkerHarness.rule("/none")],
                position: SourcePosition()))
        plan.routes.append(
            RoutePlan(
                kind: "HTTPRoute", namespace: "near", name: "consumer", rules: [WorkerHarness.rule("/")],
                position: SourcePosition()))
        var port = MemberPortPlan(number: 80, memberProtocol: .http)
        port.routes = [1]
        port.directRoutes = [0]
        port.consumers = [.init(namespace: "near", routes: [2])]
        var group = GroupPlan(namespace: "shop", name: "front")
        group.members = [MemberPlan(namespace: "shop", name: "reviews", ports: [port])]
        plan.groups = [group]
        plan.workloads = [
            WorkloadPlan(address: WorkerHarness.loopback, namespace: "near", name: "caller", service: "caller")
        ]
        plan.sockets[0].listeners[0].attachments = []
        plan.sockets[0].listeners[0].group = 0
    }

    @Test func aThousandCallsAllocateNothing() throws {
        let harness = try WorkerHarness()
        try harness.publish(Self.group)
        let client = try harness.connect()
        let request = Array("GET /p HTTP/1.1\r\nHost: Reviews.shop.svc.cluster.local\r\n\r\n".utf8)
        client.send(request)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        func exchange() {
            client.send(request)
            harness.loop.turn(limit: 100)
            while !backend.discard() { harness.loop.turn(limit: 1) }
            backend.send(response)
            harness.loop.turn(limit: 100)
            while !client.discard() { harness.loop.turn(limit: 1) }
        }
        for _ in 0..<200 { exchange() }
        let before = allocation_count()
        for _ in 0..<1000 { exchange() }
        #expect(allocation_count() - before == 0)
    }

    @Test(arguments: [
        ("reviews", "200 OK"), ("reviews.shop", "200 OK"), ("reviews.shop:80", "200 OK"), ("reviews.shop:81", "404"),
        ("reviews.near", "403"), ("example.com", "403"),
    ])
    func whoIsMeant(_ host: String, _ answer: String) throws {
        let harness = try WorkerHarness()
        try harness.publish(Self.group)
        let client = try harness.connect()
        client.send("GET /p HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        if answer.hasPrefix("200") {
            let backend = try harness.acceptBackend()
            harness.expect(backend, toReceive: "\r\n\r\n")
            backend.send(response)
        }
        harness.expect(client, toReceive: "HTTP/1.1 " + answer)
    }

    /// Who is in no namespace that has routes of its own gets everybody's.
    @Test func whoeverElseCallsHasTheProducersRoutes() throws {
        let harness = try WorkerHarness()
        try harness.publish { plan in
            Self.group(&plan)
            plan.workloads = []
        }
        let client = try harness.connect()
        client.send("GET /p HTTP/1.1\r\nHost: reviews.shop\r\n\r\n")
        harness.expect(client, toReceive: "no route of the service matches")
    }
}
