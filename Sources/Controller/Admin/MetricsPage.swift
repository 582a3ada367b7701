import Config
import Core
import IO
import Telemetry
import Upstream

/// `/metrics`, from the running snapshot's names and the shared statistics.
enum MetricsPage {
    static let contentType = MetricsReport.contentType

    static func write(_ controller: Controller) -> ByteBuffer {
        var source = MetricsSource(
            version: controller.version, reader: controller.reader, controller: controller.statistics)
        source.generation = controller.live?.generation ?? 0
        source.revision = controller.live?.revision ?? 0
        source.unboundSockets = controller.live?.unbound.count ?? 0
        source.controllerRestarts = controller.controllerRestarts
        source.workers = controller.workers.map {
            .init(index: Int($0.index), state: state($0.state), restarts: $0.restarts)
        }
        source.certificates = (controller.live?.resolution?.certificates ?? []).map {
            .init(secret: $0.name, notAfter: $0.notAfter)
        }
        source.rollouts = controller.rollouts.watched.map { watched in
            let state = watched.machine.state
            return .init(
                route: "\(watched.route)", rule: watched.rule, phase: state.phase.word,
                share: watched.machine.canaryShare,
                canary: (state.canaryRequests, state.canaryFailures),
                stable: (state.stableRequests, state.stableFailures))
        }
        source.rolloutPhases = RolloutState.Phase.all.map(\.word)
        if let live = controller.live {
            addNames(live.snapshot, to: &source)
            addHealth(live.snapshot, controller.health, to: &source)
            let flows = FlowTable(live.snapshot, controller.liveState, now: controller.loop.wallNow)
            source.flows = flows.flows
            source.members = flows.members
            source.rateLimits = RateLimitCounts.read(live.snapshot, controller.liveState.limits)
            source.authorizations = MetricsSource.Authorization.read(live.snapshot, controller.liveState.authorizations)
        }
        return MetricsReport.write(source)
    }

    static func state(_ state: WorkerStatus.State) -> MetricsSource.WorkerState {
        switch state {
        case .starting: .starting
        case .serving: .serving
        case .backingOff: .backingOff
        case .draining: .draining
        case .gone: .gone
        }
    }

    private static func addHealth(_ snapshot: Snapshot, _ watch: HealthWatch, to source: inout MetricsSource) {
        let clusters = snapshot.header.pointee.clusters
        for number in 0..<Int(clusters.count) {
            let cluster = snapshot[clusters, number].pointee
            guard !cluster.traffic.isEmpty, !snapshot[cluster.traffic, 0].pointee.healthCheck.isEmpty else { continue }
            let name = snapshot.text(cluster.name).string
            for place in 0..<Int(cluster.endpoints.count) {
                let endpoint = snapshot[cluster.endpoints, place].pointee
                let report = EndpointReport(endpoint.slot, watch)
                source.health.append(
                    .init(
                        backend: name, address: snapshot.name(of: endpoint), isUsable: report.isUsable,
                        isStale: report.isStale, ejections: UInt64(report.ejections)))
            }
        }
    }

    private static func addNames(_ snapshot: Snapshot, to source: inout MetricsSource) {
        let header = snapshot.header.pointee
        for number in 0..<Int(header.routes.count) {
            let route = snapshot[header.routes, number].pointee
            source.routes.append(.init(name: snapshot.text(route.qualifiedName).string, slot: route.slot))
        }
        for number in 0..<Int(header.clusters.count) {
            let cluster = snapshot[header.clusters, number].pointee
            let name = snapshot.text(cluster.name).string
            for place in 0..<Int(cluster.endpoints.count) {
                let endpoint = snapshot[cluster.endpoints, place].pointee
                source.endpoints.append(.init(backend: name, address: snapshot.name(of: endpoint), slot: endpoint.slot))
            }
        }
    }
}
