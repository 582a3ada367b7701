import AllocationCount
import Config
import Core
import Routing
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

    /// From a name or an address to the member and to where its requests are matched. (What becomes of a call in its turn
    /// depends on how short time is, which is another's test.)
    @Test func aThousandLookUpsAllocateNothing() throws {
        let harness = try WorkerHarness()
        try harness.publish { plan in
            Self.group(&plan)
            plan.groups[0].members[0].addresses = [IPAddress(v4: 10, 96, 0, 1)]
        }
        let routes = try #require(harness.worker.configuration).routes
        let wish = PortWish.request(port: nil, listener: 8080, isSecure: false)
        var found = 0
        let near = ByteView("near")
        let hosts = [ByteView("Reviews.shop.svc.cluster.local"), ByteView("reviews"), ByteView("10.96.0.1")]
        func lookUp() {
            for index in 0..<3 {
                let host = hosts[index]
                guard case .member(let call) = routes.lookUp(host: host, wish, from: near, in: 0) else { continue }
                if routes.pathIndex(of: call, from: near) != MemberPortConfig.none { found += 1 }
            }
            if routes.workload(at: WorkerHarness.loopback) != nil { found += 1 }
        }
        for _ in 0..<10 { lookUp() }
        let before = allocation_count()
        for _ in 0..<1000 { lookUp() }
        #expect(allocation_count() - before == 0)
        #expect(found == 4 * 1010)
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
