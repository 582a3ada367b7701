import Config
import Core
import HTTP
import Routing

/// Calls to the services of a group.
extension Explainer {
    /// The listener of a group that would take a request; nil: an ordinary one has its host.
    static func groupListener(
        _ host: ByteView, _ socket: UnsafePointer<SocketConfig>, _ table: RouteTable
    ) -> UInt32? {
        guard socket.pointee.groupListener != ListenerConfig.noGroup else { return nil }
        let named = table.listener(for: host, on: socket)
        let number = named == HostIndex.none ? socket.pointee.groupListener : named
        return table.snapshot[table.snapshot.header.pointee.listeners, Int(number)].pointee.isOfGroup ? number : nil
    }

    static func explainCall(
        _ request: ExplainedRequest, _ head: borrowing RequestHead, _ bytes: ByteView, _ path: ByteView, _ socket: Int,
        _ listener: UInt32, _ table: RouteTable, _ reading: SnapshotReading, _ begun: RequestExplanation
    ) -> RequestExplanation {
        var explanation = begun
        explanation.listener = reading.listener(listener)
        let snapshot = table.snapshot
        let config = snapshot[snapshot.header.pointee.listeners, Int(listener)].pointee
        let wish = PortWish.request(port: head.port, listener: config.port, isSecure: request.isSecure)
        let host = head.host.of(bytes)
        return request.namespace.withView { namespace in
            switch table.lookUp(host: host, wish, from: namespace, in: config.group) {
            case .ambiguous:
                return explanation.refused(
                    404, "services of several namespaces are called \(host.string); write name.namespace, or --from")
            case .noPort(let number):
                let member = snapshot[table.group(config.group).pointee.members, Int(number)].pointee
                let ports = (0..<Int(member.ports.count)).map { "\(snapshot[member.ports, $0].pointee.number)" }
                return explanation.refused(
                    404,
                    "Service \(snapshot.text(member.qualifiedName).string) has no such port; it has "
                        + ports.joined(separator: ", "))
            case .outside:
                explanation.authorization = reading.authorization(config.authorization)
                let found = table.explain(
                    socket: UInt32(socket), head: head, bytes: bytes, host: host, path: path, limit: candidateLimit)
                reading.fill(&explanation, found)
                guard found.decision.outcome != .rule else { return explanation }
                let group = table.group(config.group).pointee
                guard group.egress == .allow, group.egressRule != MemberPortConfig.none else {
                    return explanation.refused(
                        403,
                        "no service of the group is called \(host.string), and no route of the Gateway lets it be reached"
                    )
                }
                explanation.notes.append(
                    "no service of the group, no route of the Gateway: let out by sluice.dev/egress")
                explanation.status = nil
                explanation.verdict = ""
                explanation.rule = reading.rule(group.egressRule)
                return explanation
            case .member(let call):
                explanation.member = member(call, from: namespace, table, reading)
                explanation.authorization = reading.authorization(table.memberPort(call).pointee.authorization)
                let index = table.pathIndex(of: call, from: namespace)
                guard index != MemberPortConfig.none else {
                    return explanation.refused(404, "the service takes no requests of HTTP on this port")
                }
                let found = table.explain(
                    memberPathIndex: index, listener: listener, head: head, bytes: bytes, path: path,
                    limit: candidateLimit)
                reading.fill(&explanation, found)
                if found.decision.outcome != .rule { explanation.verdict = "no route of the service matches" }
                return explanation
            }
        }
    }

    private static func member(
        _ call: MemberCall, from namespace: ByteView, _ table: RouteTable, _ reading: SnapshotReading
    ) -> RequestExplanation.Member {
        let snapshot = table.snapshot
        let record = table.member(call).pointee
        let port = table.memberPort(call).pointee
        let spoken =
            switch port.memberProtocol {
            case .undeclared: "nobody says what is spoken there"
            case .http: "http"
            case .tls: "tls"
            case .tcp: "tcp"
            }
        let routes: String
        if call.endpoint != nil {
            routes = "none: an endpoint is called by its own address, and routes are for who calls the Service"
        } else if table.pathIndex(of: call, from: namespace) != port.pathIndex {
            routes = "those of the caller's namespace '\(namespace.string)', in the place of the Service's own"
        } else if port.pathIndex == port.directPathIndex {
            routes = "none: balanced over the Service's endpoints"
        } else {
            let others = (0..<Int(port.consumers.count)).map {
                snapshot.text(snapshot[port.consumers, $0].pointee.namespace).string
            }
            routes =
                "those of the Service's own namespace"
                + (others.isEmpty ? "" : "; callers in \(others.joined(separator: ", ")) have their own")
        }
        return .init(
            name: snapshot.text(record.qualifiedName).string, port: Int(port.number), spoken: spoken, routes: routes,
            place: reading.place(record.position))
    }
}
