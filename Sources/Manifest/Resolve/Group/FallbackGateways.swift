import Config
import Core

/// The central gateways of a plan, each set of places once for every way of speaking with it.
struct FallbackGateways {
    private struct Key: Hashable {
        var places: [CentralPlan]
        /// As whom, and to whom, it is called by HBONE; empty: in clear text.
        var parties = ""
    }
    private var clusters: [ClusterPlan]
    private var known: [Key: FallbackPlan] = [:]
    private let gateways: [GatewayState]

    /// Reads the annotations, and completes sockets, listeners and clusters of the plan.
    static func apply(
        to plan: inout GatewayPlan, _ gateways: [GatewayState], _ index: ResourceIndex, findings: inout FindingLog
    ) {
        var table = FallbackGateways(clusters: plan.clusters, gateways: gateways)
        table.applyGateways(to: &plan, findings: &findings)
        table.applyServices(index, findings: &findings)
        plan.clusters = table.clusters
        guard table.known.keys.contains(where: \.parties.isEmpty) else { return }
        for resource in index.resources where resource.kind == .service && !resource.isReplaced {
            plan.services.append("\(resource.name.name).\(resource.name.namespace)")
        }
    }

    private init(clusters: [ClusterPlan], gateways: [GatewayState]) {
        self.clusters = clusters
        self.gateways = gateways
    }

    private mutating func applyGateways(to plan: inout GatewayPlan, findings: inout FindingLog) {
        var byName: [ResourceName: (FallbackGateway, GatewayState)] = [:]
        for gateway in gateways {
            guard var fallback = FallbackGateway(gateway.resource, needsPort: false, findings: &findings) else {
                continue
            }
            if fallback.isTunnelled, gateway.identity == nil {
                findings.unresolved(
                    gateway.resource, fallback.node,
                    "\(FallbackGateway.tunnelScheme) needs the Gateway's own certificate: "
                        + (gateway.identityProblem ?? "the annotations \(WorkloadIdentity.annotations)"))
                continue
            }
            if let identity = gateway.identity, let message = fallback.stranger(to: identity.trustDomain) {
                findings.unresolved(gateway.resource, fallback.principalNode, message)
                continue
            }
            let own = gateway.groups.flatMap(\.listeners).flatMap(\.sockets)
            fallback.places.removeAll { place in
                guard own.contains(where: place.isReached(at:)) else { return false }
                findings.unresolved(
                    gateway.resource, fallback.node,
                    "'\(place)' is where this Gateway itself listens; write the address of another one")
                return true
            }
            if !fallback.places.isEmpty { byName[gateway.name] = (fallback, gateway) }
        }
        guard !byName.isEmpty else { return }
        for number in plan.sockets.indices {
            let socket = plan.sockets[number]
            for place in socket.listeners.indices {
                let listener = socket.listeners[place]
                let name = ResourceName(namespace: listener.gatewayNamespace, name: listener.gatewayName)
                guard let (fallback, gateway) = byName[name] else { continue }
                let places = fallback.places(from: socket.address.port)
                // Of several Gateways on one socket the first says where its connections go while nobody serves them. Who
                // relays octets then cannot begin a tunnel, but can pass on one that its client began.
                if plan.sockets[number].central.isEmpty, socket.transport == .tcp,
                    !fallback.isTunnelled || listener.listenerProtocol == .hbone
                {
                    plan.sockets[number].central = places
                }
                if listener.listenerProtocol != .udp {
                    plan.sockets[number].listeners[place].fallback = clusters(of: places, fallback, from: gateway)
                }
            }
        }
    }

    private mutating func applyServices(_ index: ResourceIndex, findings: inout FindingLog) {
        for resource in index.resources where resource.kind == .service && !resource.isReplaced {
            guard let fallback = FallbackGateway(resource, needsPort: true, findings: &findings) else { continue }
            let places = fallback.places(from: 0)
            let prefix = "\(resource.name):"
            for number in clusters.indices where clusters[number].backend.hasPrefix(prefix) {
                // Who has a certificate of its own has clusters of its own.
                let caller = gateways.first { $0.name.description == clusters[number].caller && $0.identity != nil }
                guard caller != nil || !fallback.isTunnelled else {
                    findings.unresolved(
                        resource, fallback.node,
                        "\(FallbackGateway.tunnelScheme) needs a certificate of each Gateway that serves this Service: the "
                            + "annotations \(WorkloadIdentity.annotations) there; without one it hands nothing on")
                    continue
                }
                if let identity = caller?.identity, let message = fallback.stranger(to: identity.trustDomain) {
                    findings.unresolved(resource, fallback.principalNode, message)
                    continue
                }
                clusters[number].fallback = clusters(of: places, fallback, from: caller)
            }
        }
    }

    /// - Parameter gateway: as whom it is called by HBONE.
    private mutating func clusters(
        of places: [CentralPlan], _ fallback: FallbackGateway, from gateway: GatewayState?
    ) -> FallbackPlan {
        var tunnel: TunnelPlan?
        var key = Key(places: places)
        var base = "fallback/"
        if fallback.isTunnelled, let gateway, let identity = gateway.identity {
            tunnel = fallback.tunnel(from: gateway.name, identity)
            // What is known of an address is known under the cluster's name: other certificates may be believed, or not.
            key.parties = " from \(gateway.name) to \(fallback.principal ?? "ns/\(fallback.namespace)")"
            base += places.map { "\(FallbackGateway.tunnelScheme)\($0)" }.joined(separator: ",")
            base += key.parties
        } else {
            base += places.map(\.description).joined(separator: ",")
        }
        if let plan = known[key] { return plan }
        func cluster(_ backendProtocol: BackendProtocol, _ label: String) -> Int {
            var cluster = ClusterPlan(name: base, backendProtocol: backendProtocol, endpoints: [])
            for place in places {
                switch place {
                case .address(let address): cluster.endpoints.append(EndpointPlan(address: address))
                case .name(let name): cluster.dnsNames.append(name)
                }
            }
            cluster.name += label
            cluster.isCentral = true
            cluster.tunnel = tunnel
            cluster.traffic.healthCheck.active = Self.check(isTunnelled: tunnel != nil)
            // One that came back a moment ago counts as gone until it is asked: better to try all than none.
            cluster.traffic.healthCheck.panicThreshold = 1
            clusters.append(cluster)
            return clusters.count - 1
        }
        let plan = FallbackPlan(
            http1: cluster(.http1, ""), http2: cluster(.http2, " (h2)"), opaque: cluster(.opaque, " (octets)"))
        known[key] = plan
        return plan
    }

    /// A central gateway is asked each second whether it accepts: one that went is not tried by requests for long, and one
    /// that came back is used within a second. A handshake of mutual TLS costs both sides a millisecond, so it is made half
    /// as often.
    private static func check(isTunnelled: Bool) -> ActiveCheckPlan {
        var check = ActiveCheckPlan(.tcp(send: [], receive: []))
        check.interval = .seconds(isTunnelled ? 2 : 1)
        check.unhealthyThreshold = 1
        return check
    }
}
