import Config
import Core
import HTTP
import Routing

/// A plan that was built and is served by a table; keeps the block alive.
final class TestTable {
    let block: SnapshotBlock
    let table: RouteTable
    let snapshot: Snapshot

    init(_ plan: GatewayPlan, cache: PatternCache = PatternCache()) throws {
        block = try SnapshotBuilder.buildBlock(
            plan, generation: 1, revision: 1, sourceHash: 0, socketIDs: plan.sockets.indices.map { UInt32($0) }
        )
        guard let snapshot = block.snapshot else { preconditionFailure("a built block is a snapshot") }
        self.snapshot = snapshot
        table = RouteTable(snapshot: snapshot, cache: cache)
    }

    func decide(_ request: TestRequest, socket: UInt32 = 0) -> RouteDecision {
        request.with { head, bytes, host, path in
            table.decide(socket: socket, head: head, bytes: bytes, host: host, path: path)
        }
    }

    func effort(_ request: TestRequest) -> MatchEffort {
        request.with { head, bytes, host, path in
            table.effort(socket: 0, head: head, bytes: bytes, host: host, path: path)
        }
    }

    /// The winner as `route rule.match`, or `no route`, `no listener`.
    func winner(_ request: TestRequest, socket: UInt32 = 0) -> String { name(decide(request, socket: socket)) }

    func name(_ decision: RouteDecision) -> String {
        switch decision.outcome {
        case .noListener: return "no listener"
        case .noRoute: return "no route"
        case .rule:
            let rule = snapshot[snapshot.header.pointee.rules, Int(decision.rule)].pointee
            let route = snapshot[snapshot.header.pointee.routes, Int(rule.route)].pointee
            return "\(snapshot.text(route.name).string) \(rule.index).\(decision.match!.pointee.match)"
        }
    }
}

extension GatewayPlan {
    /// One socket with one listener for every host, which serves these routes under the given hostnames.
    static func oneListener(_ routes: [(name: String, hostnames: [String], matches: [[MatchPlan]])]) -> GatewayPlan {
        var plan = GatewayPlan()
        var attachments: [ListenerPlan.Attachment] = []
        for route in routes {
            attachments.append(.init(hostnames: route.hostnames, route: plan.routes.count))
            plan.routes.append(.test(route.name, route.matches))
        }
        plan.sockets = [
            SocketPlan(address: .test(8080), listeners: [.test("all", hostname: "", attachments)])
        ]
        return plan
    }

    /// Rules of one route for every host, each of one match.
    static func matches(_ matches: [MatchPlan]) -> GatewayPlan {
        oneListener([("r", [""], matches.map { [$0] })])
    }
}

extension SocketAddress {
    static func test(_ port: UInt16) -> SocketAddress { SocketAddress(ip: .any, port: port) }
}

extension ListenerPlan {
    static func test(_ name: String, hostname: String, _ attachments: [Attachment]) -> ListenerPlan {
        ListenerPlan(
            gatewayNamespace: "default", gatewayName: "gw", name: name, hostname: hostname, attachments: attachments,
            position: SourcePosition(file: 0, line: 1, column: 1))
    }
}

extension RoutePlan {
    static func test(_ name: String, _ rules: [[MatchPlan]]) -> RoutePlan {
        RoutePlan(
            kind: "HTTPRoute", namespace: "default", name: name, rules: rules.map { RulePlan(matches: $0) },
            position: SourcePosition(file: 0, line: 2, column: 1))
    }
}

extension ValueMatchPlan {
    static func exact(_ name: String, _ value: String) -> ValueMatchPlan {
        ValueMatchPlan(name: name, kind: .exact, value: value)
    }
    static func regex(_ name: String, _ value: String) -> ValueMatchPlan {
        ValueMatchPlan(name: name, kind: .regularExpression, value: value)
    }
}

extension TestTable {
    func explain(_ request: TestRequest, limit: Int = .max) -> RouteExplanation {
        request.with { head, bytes, host, path in
            table.explain(socket: 0, head: head, bytes: bytes, host: host, path: path, limit: limit)
        }
    }
}
