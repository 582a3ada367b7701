import Config
import Core

/// `sluice.dev/fallback-gateway: ADDR[,ADDR…]` on a Gateway, for all that comes to its listeners, or on a Service, for what
/// is meant for its ports: where the central gateway of a group is reached.
struct FallbackGateway {
    static let annotation: StaticString = "sluice.dev/fallback-gateway"
    /// Addresses of one central gateway (``GuardProtocol/centralLimit``, which this room does not know).
    static let addressLimit = 16

    /// One address; without a port, the one that was called here.
    struct Address: Hashable {
        var ip: IPAddress
        var port: UInt16?

        /// Whether who calls it comes to a socket that is bound there.
        func isReached(at socket: SocketAddress) -> Bool {
            guard port == nil || port == socket.port else { return false }
            return ip == socket.ip || (socket.ip.isAny && (ip.isLoopback || ip.isAny))
        }
    }

    var addresses: [Address]
    let node: WrittenNode

    /// Nil when nothing is written, or nothing that can be used, which is told.
    init?(_ resource: LoadedResource, needsPort: Bool, findings: inout FindingLog) {
        guard let written = AnnotationText(Self.annotation, of: resource) else { return nil }
        addresses = []
        node = written.node
        for part in written.text.split(separator: ",", omittingEmptySubsequences: false) {
            let text = AnnotationText.trimmed(part)
            if let full = SocketAddress(text), full.port > 0 {
                addresses.append(Address(ip: full.ip, port: full.port))
            } else if let ip = IPAddress(text) {
                guard !needsPort else {
                    findings.unresolved(
                        resource, written.node,
                        "'\(text)' has no port; a Service's central gateway is written with one, such as '\(text):8080'"
                    )
                    return nil
                }
                addresses.append(Address(ip: ip, port: nil))
            } else {
                findings.unresolved(
                    resource, written.node,
                    "'\(text)' is no address of a gateway; write IP addresses with their ports, such as "
                        + "'10.0.0.5:8080,10.0.0.6:8080'")
                return nil
            }
        }
        guard addresses.count <= Self.addressLimit else {
            findings.unresolved(
                resource, written.node,
                "\(addresses.count) addresses are more than the \(Self.addressLimit) that may be")
            return nil
        }
    }

    /// As they are called from this port.
    func addresses(from port: UInt16) -> [SocketAddress] {
        addresses.map { SocketAddress(ip: $0.ip, port: $0.port ?? port) }
    }
}

extension FallbackGateway.Address: CustomStringConvertible {
    var description: String { port.map { SocketAddress(ip: ip, port: $0).description } ?? ip.description }
}

/// The central gateways of a plan, each set of addresses once for every way of speaking with it.
struct FallbackGateways {
    private var clusters: [ClusterPlan]
    private var known: [[SocketAddress]: FallbackPlan] = [:]

    /// Reads the annotations, and completes sockets, listeners and clusters of the plan.
    static func apply(
        to plan: inout GatewayPlan, _ gateways: [GatewayState], _ index: ResourceIndex, findings: inout FindingLog
    ) {
        var table = FallbackGateways(clusters: plan.clusters)
        table.applyGateways(to: &plan, gateways, findings: &findings)
        table.applyServices(index, findings: &findings)
        plan.clusters = table.clusters
    }

    private init(clusters: [ClusterPlan]) { self.clusters = clusters }

    private mutating func applyGateways(
        to plan: inout GatewayPlan, _ gateways: [GatewayState], findings: inout FindingLog
    ) {
        var byName: [ResourceName: FallbackGateway] = [:]
        for gateway in gateways {
            guard var fallback = FallbackGateway(gateway.resource, needsPort: false, findings: &findings) else {
                continue
            }
            let own = gateway.groups.flatMap(\.listeners).flatMap(\.sockets)
            fallback.addresses.removeAll { address in
                guard own.contains(where: address.isReached(at:)) else { return false }
                findings.unresolved(
                    gateway.resource, fallback.node,
                    "'\(address)' is where this Gateway itself listens; write the address of another one")
                return true
            }
            if !fallback.addresses.isEmpty { byName[gateway.name] = fallback }
        }
        guard !byName.isEmpty else { return }
        for place in plan.sockets.indices {
            let socket = plan.sockets[place]
            for number in socket.listeners.indices {
                let listener = socket.listeners[number]
                let name = ResourceName(namespace: listener.gatewayNamespace, name: listener.gatewayName)
                guard let fallback = byName[name] else { continue }
                let addresses = fallback.addresses(from: socket.address.port)
                // Of several Gateways on one socket the first says where its connections go while nobody serves them.
                if plan.sockets[place].central.isEmpty, socket.transport == .tcp {
                    plan.sockets[place].central = addresses
                }
                if listener.listenerProtocol != .udp {
                    plan.sockets[place].listeners[number].fallback = clusters(of: addresses)
                }
            }
        }
    }

    private mutating func applyServices(_ index: ResourceIndex, findings: inout FindingLog) {
        for resource in index.resources where resource.kind == .service && !resource.isReplaced {
            guard let fallback = FallbackGateway(resource, needsPort: true, findings: &findings) else { continue }
            let plan = clusters(of: fallback.addresses(from: 0))
            let prefix = "\(resource.name):"
            for number in clusters.indices where clusters[number].backend.hasPrefix(prefix) {
                clusters[number].fallback = plan
            }
        }
    }

    private mutating func clusters(of addresses: [SocketAddress]) -> FallbackPlan {
        if let plan = known[addresses] { return plan }
        let name = "fallback/" + addresses.map(\.description).joined(separator: ",")
        func cluster(_ backendProtocol: BackendProtocol, _ label: String) -> Int {
            var cluster = ClusterPlan(
                name: name, backendProtocol: backendProtocol, endpoints: addresses.map { EndpointPlan(address: $0) })
            cluster.name += label
            cluster.traffic.healthCheck.active = Self.check
            // One that came back a moment ago counts as gone until it is asked: better to try all than none.
            cluster.traffic.healthCheck.panicThreshold = 1
            clusters.append(cluster)
            return clusters.count - 1
        }
        let plan = FallbackPlan(
            http1: cluster(.http1, ""), http2: cluster(.http2, " (h2)"), opaque: cluster(.opaque, " (octets)"))
        known[addresses] = plan
        return plan
    }

    /// A central gateway is asked each second whether it accepts: one that went is not tried by requests for long, and one
    /// that came back is used within a second.
    private static var check: ActiveCheckPlan {
        var check = ActiveCheckPlan(.tcp(send: [], receive: []))
        check.interval = .seconds(1)
        check.unhealthyThreshold = 1
        return check
    }
}
