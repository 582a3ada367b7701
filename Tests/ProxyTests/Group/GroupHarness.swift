import Config
import Core
import Telemetry
import Testing

@testable import Proxy

extension WorkerHarness {
    /// Has the one listening socket be a group's: `web.shop` is its member at backend 0, `out.example` (HTTPRoute) and
    /// `tls.example` (TLSRoute) lead to backend 1.
    func publishGroup(
        _ spoken: MemberProtocol = .tcp, egress: EgressDefault = .deny,
        _ change: (inout GatewayPlan) -> Void = { _ in }
    ) throws {
        try publish(clusters: [[0], [backendPorts.count > 1 ? 1 : 0]]) { plan in
            func route(_ kind: String, _ name: String, to cluster: Int) -> RoutePlan {
                let backend = BackendPlan(target: .cluster(cluster), weight: 1, name: "default/backend-\(cluster):80")
                let matches = kind == "HTTPRoute" ? [MatchPlan(path: .prefix("/"))] : []
                return RoutePlan(
                    kind: kind, namespace: "default", name: name,
                    rules: [RulePlan(matches: matches, backends: [backend])], position: SourcePosition())
            }
            plan.routes = [
                route("HTTPRoute", "web", to: 0), route("TCPRoute", "web-octets", to: 0),
                route("HTTPRoute", "out", to: 1), route("TLSRoute", "tls", to: 1),
            ]
            var port = MemberPortPlan(number: 80, name: "", memberProtocol: spoken)
            port.routes = spoken == .http || spoken == .undeclared ? [0] : []
            port.streamRoutes = spoken == .http ? [] : [1]
            port.endpoints = [Self.memberAddress]
            var group = GroupPlan(namespace: "shop", name: "gateway")
            group.egress = egress
            group.members = [MemberPlan(namespace: "shop", name: "web", ports: [port])]
            group.members[0].addresses = [Self.memberAddress.ip]
            plan.groups = [group]
            plan.sockets[0].listeners[0].group = 0
            plan.sockets[0].listeners[0].attachments = [
                .init(hostnames: ["out.example"], route: 2), .init(hostnames: ["tls.example"], route: 3),
            ]
            change(&plan)
        }
    }

    /// By which the member is called; nobody listens there.
    static let memberAddress = SocketAddress(ip: IPAddress(v4: 10, 96, 0, 1), port: 80)

    /// A client inside of a CONNECT that was answered.
    func connect(through authority: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> RawSocket {
        let client = try connect()
        client.send("CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n\r\n")
        expect(client, toReceive: "\r\n\r\n", sourceLocation: sourceLocation)
        #expect(client.received.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(client.received)", sourceLocation: sourceLocation)
        client.forget()
        return client
    }

    func status(of request: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let client = try connect()
        client.send(request)
        expect(client, toReceive: "\r\n\r\n", sourceLocation: sourceLocation)
        return String(client.received.dropFirst(9).prefix(3))
    }
}
