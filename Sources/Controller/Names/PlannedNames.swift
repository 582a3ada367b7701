import Config
import Core
import IO

/// What the names of a plan stand for at the moment.
extension BackendNames {
    /// Adds to each cluster the endpoints that its names stand for. An address that two names share is one endpoint, and a
    /// central gateway's name that leads back to this one (as on the central gateway itself, where all machines have the same
    /// manifests) leads nowhere.
    /// - Parameter host: of this machine, asked only where there is need.
    func complete(_ plan: inout GatewayPlan, host: () -> HostAddresses?) {
        lazy var own = OwnSockets(plan.sockets, host())
        for index in plan.clusters.indices where !plan.clusters[index].dnsNames.isEmpty {
            let cluster = plan.clusters[index]
            var seen = Set(cluster.endpoints)
            for target in cluster.dnsNames {
                for place in places(of: target) {
                    var endpoint = EndpointPlan(
                        address: SocketAddress(ip: place.address, port: place.port ?? target.port))
                    if cluster.isCentral, own.contains(endpoint.address) { continue }
                    endpoint.hostname = target.hostname
                    endpoint.zone = target.zone
                    endpoint.weight = UInt32(place.weight)
                    if seen.insert(endpoint).inserted { plan.clusters[index].endpoints.append(endpoint) }
                }
            }
        }
    }

    /// The addresses of central gateways, in the order that is written, as many as a guard takes.
    func addresses(of central: [CentralPlan]) -> [SocketAddress] {
        var found: [SocketAddress] = []
        for place in central {
            switch place {
            case .address(let address): found.append(address)
            case .name(let name):
                found += places(of: name).map { SocketAddress(ip: $0.address, port: $0.port ?? name.port) }
            }
        }
        var seen = Set<SocketAddress>()
        return Array(found.filter { seen.insert($0).inserted }.prefix(GuardProtocol.centralLimit))
    }
}

/// Where connections come to this gateway.
struct OwnSockets {
    private let addresses: [SocketAddress]
    private let host: HostAddresses?

    /// - Parameter host: of this machine; nil: nobody knows them.
    init(_ sockets: [SocketPlan], _ host: HostAddresses?) {
        addresses = sockets.filter { $0.transport == .tcp }.map(\.address)
        self.host = host
    }

    func contains(_ address: SocketAddress) -> Bool {
        addresses.contains {
            $0.port == address.port
                && ($0.ip == address.ip || $0.ip.isAny && host?.isOwn(address.ip) ?? address.ip.isLoopback)
        }
    }
}
