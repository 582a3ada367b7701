import Config
import Connection
import Core
import IO
import Telemetry
import Upstream

/// The clusters and endpoints that this worker has met, by identity, so that pools and turns go on over reloads.
/// Owned by the worker. What no snapshot names any more is let go some time after the change.
final class ClusterRegistry: Timed {
    /// After a new snapshot, how long endpoints that are gone keep their idle connections. The search for them costs time
    /// in proportion to the snapshot; it must not fall into the turn of the change.
    static let sweepDelay = TimeAmount.seconds(1)

    private var clusters: [UInt64: Cluster] = [:]
    private var endpoints: [UInt64: Endpoint] = [:]
    /// Of hosts that requests named; at most ``DynamicHosts/hostLimit``.
    private var dynamic: [Int: Cluster] = [:]
    private let hashTables = RendezvousTables()
    private let worker: Worker

    init(worker: Worker) { self.worker = worker }

    func cluster(_ config: ClusterConfig, in configuration: LiveConfiguration) -> Cluster {
        let known = clusters[config.identity]
        if let known, known.revision == configuration.revision { return known }
        let snapshot = configuration.snapshot
        let transport = UpstreamTransport(config, in: snapshot, worker.tlsContexts)
        let cluster = known ?? Cluster(config, transport: transport, tables: hashTables, worker: worker)
        clusters[config.identity] = cluster
        cluster.revision = configuration.revision
        cluster.transport = transport
        cluster.outliers = ClusterOutliers(config, in: snapshot, worker: worker)
        let endpoints = (0..<Int(config.endpoints.count)).map {
            endpoint(snapshot[config.endpoints, $0].pointee, transport, cluster, in: snapshot)
        }
        cluster.adopt(config, endpoints, in: snapshot)
        return cluster
    }

    private func endpoint(
        _ config: EndpointConfig, _ transport: UpstreamTransport, _ cluster: Cluster, in snapshot: Snapshot
    ) -> Endpoint {
        let transport = transport.named(snapshot.text(config.hostname).string)
        if let known = endpoints[config.identity] {
            known.isRetired = false
            known.adopt(transport)
            known.call(snapshot.text(config.hostname))
            return known
        }
        let endpoint = Endpoint(
            address: config.address, unixPath: snapshot.text(config.unixPath).string, slot: config.slot,
            identity: config.identity, transport: transport, breaker: cluster.breaker, worker: worker)
        endpoint.call(snapshot.text(config.hostname))
        endpoints[config.identity] = endpoint
        return endpoint
    }

    // MARK: hosts that requests name

    /// A cluster of the addresses of one host (Backend of type DynamicResolver).
    /// - Parameters:
    ///   - group: the group that lets its callers out to it, which shares no connections and no verdicts with others;
    ///     ``ListenerConfig/noGroup``: none.
    ///   - host: without port; its name is what certificates must be for.
    ///   - addresses: at least one.
    func cluster(
        _ config: ClusterConfig, of group: UInt32, host: ByteView, port: UInt16, addresses: [IPAddress],
        in configuration: LiveConfiguration
    ) -> Cluster {
        var hasher = Hasher()
        hasher.combine(config.identity)
        if group != ListenerConfig.noGroup {
            let config = configuration.routes.group(group)
            // Its number may be another one after a change.
            for text in [config.pointee.namespace, config.pointee.name] {
                hasher.combine(HashMix.hash(configuration.snapshot.text(text)))
            }
        }
        for i in host.indices { hasher.combine(ASCII.lower(host[i])) }
        hasher.combine(port)
        let key = hasher.finalize()
        let known = dynamic[key]
        let name = host.string
        let transport =
            known?.revision == configuration.revision
            ? known?.transport : UpstreamTransport(config, in: configuration.snapshot, worker.tlsContexts).named(name)
        guard let transport else { preconditionFailure("a cluster without transport") }
        let cluster = known ?? Cluster(config, transport: transport, tables: hashTables, worker: worker)
        if known == nil {
            if dynamic.count >= DynamicHosts.hostLimit { forgetOldest() }
            dynamic[key] = cluster
        }
        cluster.usedAt = worker.loop.now
        let isSame = cluster.endpoints.map(\.address.ip) == addresses
        if isSame, cluster.revision == configuration.revision { return cluster }
        for endpoint in cluster.endpoints where cluster.revision != configuration.revision { endpoint.adopt(transport) }
        cluster.revision = configuration.revision
        cluster.transport = transport
        for gone in cluster.endpoints where !addresses.contains(gone.address.ip) { gone.retire() }
        let endpoints = addresses.map { ip in
            cluster.endpoints.first { $0.address.ip == ip }
                ?? Endpoint(
                    address: SocketAddress(ip: ip, port: port), slot: 0, identity: 0, transport: transport,
                    breaker: cluster.breaker, worker: worker)
        }
        cluster.adopt(config, endpoints, in: configuration.snapshot)
        return cluster
    }

    private func forgetOldest() {
        guard let oldest = dynamic.min(by: { $0.value.usedAt < $1.value.usedAt }) else { return }
        for endpoint in oldest.value.endpoints { endpoint.retire() }
        dynamic[oldest.key] = nil
    }

    // MARK: changes

    /// A new snapshot is in use.
    func configurationChanged() {
        worker.loop.setDeadline(self, worker.loop.now + Self.sweepDelay)
    }

    /// Lets go what the newest snapshot does not name.
    override func deadlinePassed(now: Instant) {
        guard let snapshot = worker.configuration?.snapshot else { return }
        worker.tlsContexts.sweep(snapshot)
        let all = snapshot.header.pointee.endpoints
        var named = Set<UInt64>(minimumCapacity: Int(all.count))
        for i in 0..<Int(all.count) { named.insert(snapshot[all, i].pointee.identity) }
        for (identity, endpoint) in endpoints where !named.contains(identity) {
            endpoint.retire()
            endpoints[identity] = nil
        }
        var clustersNamed = Set<UInt64>()
        let tables = snapshot.header.pointee.clusters
        for i in 0..<Int(tables.count) { clustersNamed.insert(snapshot[tables, i].pointee.identity) }
        for identity in clusters.keys where !clustersNamed.contains(identity) { clusters[identity] = nil }
    }

    /// Closes every idle connection (the end of a drain, or no descriptors left).
    func closeIdle() {
        for endpoint in endpoints.values { endpoint.closeIdle() }
        for cluster in dynamic.values { for endpoint in cluster.endpoints { endpoint.closeIdle() } }
    }
}
