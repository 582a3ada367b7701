import Config
import Core
import Upstream

/// A mistake in a set of manifests, or of a DNS server, must not take a service down whose endpoints are well: where more than
/// half of a cluster's endpoints would go at once, those whose health checks pass stay in use until the checks fail or the
/// set names them again. What is named as terminating or not ready goes, and without health checks nobody knows who is well.
enum SelfPreservation {
    /// An endpoint in use.
    struct InUse {
        var plan: EndpointPlan
        /// Its active checks pass.
        var isPassing: Bool
        /// It is in use only because it was kept before.
        var isStale: Bool
    }

    /// Those of `inUse` that stay although `next` does not have them.
    /// - Parameter leaving: said to be on their way out: their going is wanted.
    static func kept(
        _ inUse: [InUse], next: Set<EndpointPlace>, leaving: Set<SocketAddress>
    ) -> [EndpointPlan] {
        let missing = inUse.filter { !next.contains(EndpointPlace($0.plan)) && !leaving.contains($0.plan.address) }
        let isCollapse = missing.count * 2 > inUse.count
        return missing.filter { $0.isPassing && ($0.isStale || isCollapse) }.map(\.plan)
    }
}

/// Where an endpoint is, whatever else is said of it.
struct EndpointPlace: Hashable {
    var address: SocketAddress
    /// Of a Unix socket; empty: the address counts.
    var unixPath: String

    init(address: SocketAddress, unixPath: String = "") {
        self.address = address
        self.unixPath = unixPath
    }
    init(_ plan: EndpointPlan) { self.init(address: plan.address, unixPath: plan.unixPath) }
    init(_ config: EndpointConfig, in snapshot: Snapshot) {
        self.init(address: config.address, unixPath: snapshot.text(config.unixPath).string)
    }
}

extension Controller {
    /// Adds to a plan the endpoints that stay in use although it does not name them.
    /// - Returns: those, by the name of their cluster.
    func preserve(_ plan: inout GatewayPlan) -> [String: Set<EndpointPlace>] {
        guard let snapshot = live?.snapshot else { return [:] }
        var inUse: [String: [SelfPreservation.InUse]] = [:]
        let clusters = snapshot.header.pointee.clusters
        for number in 0..<Int(clusters.count) {
            let cluster = snapshot[clusters, number].pointee
            guard cluster.hasChecks(in: snapshot) else { continue }
            inUse[snapshot.text(cluster.name).string] = (0..<Int(cluster.endpoints.count)).map {
                let endpoint = snapshot[cluster.endpoints, $0].pointee
                let state = health.cell(endpoint.slot).probeState
                return SelfPreservation.InUse(
                    plan: EndpointPlan(endpoint, in: snapshot),
                    isPassing: endpoint.slot != 0 && state.standing == .passing,
                    isStale: state.isStale)
            }
        }
        var stale: [String: Set<EndpointPlace>] = [:]
        for index in plan.clusters.indices where plan.clusters[index].traffic.healthCheck.active != nil {
            let cluster = plan.clusters[index]
            guard let known = inUse[cluster.name] else { continue }
            let kept = SelfPreservation.kept(
                known, next: Set(cluster.endpoints.map { EndpointPlace($0) }), leaving: Set(cluster.withdrawn))
            if kept.isEmpty { continue }
            plan.clusters[index].endpoints += kept
            stale[cluster.name] = Set(kept.map { EndpointPlace($0) })
        }
        return stale
    }
}

extension EndpointPlan {
    /// As it was published.
    fileprivate init(_ config: EndpointConfig, in snapshot: Snapshot) {
        self.init(address: config.address)
        unixPath = snapshot.text(config.unixPath).string
        hostname = snapshot.text(config.hostname).string
        zone = snapshot.text(config.zone).string
        weight = config.weight
    }
}

extension ClusterConfig {
    /// Whether its endpoints are probed.
    fileprivate func hasChecks(in snapshot: Snapshot) -> Bool {
        guard !traffic.isEmpty else { return false }
        let health = snapshot[traffic, 0].pointee.healthCheck
        return !health.isEmpty && !snapshot[health, 0].pointee.active.isEmpty
    }
}
