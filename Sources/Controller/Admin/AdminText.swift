import Config
import Core
import IO
import Telemetry

/// What the commands print: the same facts as ``AdminJSON``, for people. Asked for with `Accept: text/plain`.
enum AdminText {
    static func outcome(_ outcome: ReloadOutcome) -> String {
        var lines = outcome.findings.map(\.description)
        if outcome.isApplied {
            lines.append("generation \(outcome.generation) is live in all workers")
        } else {
            lines.append("refused: \(outcome.message); generation \(outcome.generation) goes on")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func status(_ controller: Controller) -> String {
        var lines: [String] = []
        let state = controller.unreadiness.map { "not ready: \($0)" } ?? "ready"
        lines.append("sluice \(controller.version), \(state)")
        if let live = controller.live {
            lines.append("configuration  generation \(live.generation), loaded \(Timestamp.string(live.loadedAt))")
            lines.append("source         \(controller.options.paths.joined(separator: ", "))")
        }
        if let outcome = controller.lastOutcome, !outcome.isApplied {
            lines.append("last attempt   refused at \(Timestamp.string(outcome.at)): \(outcome.message)")
        }
        listeners(controller, &lines)
        for certificate in controller.live?.resolution?.certificates ?? [] {
            let days = certificate.daysLeft(atSecond: controller.loop.wallNow / 1_000_000_000)
            let expiry = days < 0 ? "expired \(-days) days ago" : "\(days) days left"
            lines.append(
                "certificate    \(certificate.name) for \(certificate.names.joined(separator: ", ")): \(expiry)"
                    + (certificate.staleness.map { "; kept in use: \($0)" } ?? ""))
        }
        for name in controller.names.unanswered {
            let kept = name.addressesKept > 0 ? "; \(name.addressesKept) addresses of before are used" : ""
            lines.append("name           \(name.name) was looked up without an answer: \(name.reason)\(kept)")
        }
        for rollout in controller.rollouts.watched {
            lines.append("rollout        \(rollout.route) rule '\(rollout.rule)': \(rollout.line)")
        }
        workers(controller, &lines)
        let reader = controller.reader
        let classes = [2, 3, 4, 5].map { "\($0)xx \(reader.requests(statusClass: $0))" }.joined(separator: ", ")
        lines.append(
            "requests       \(reader.requests) (\(classes)), \(reader.total(.requestsNow)) now, "
                + "\(reader.total(.upgradesNow)) tunnels")
        lines.append(
            "connections    \(reader.total(.downstreamConnectionsNow)) downstream, "
                + "\(reader.total(.upstreamPooledNow)) kept to backends")
        if let service = controller.options.rateLimitService {
            let count = reader.total(.rateLimitServiceNow)
            lines.append(
                "rate limits    global ones in Redis at \(service): "
                    + (count > 0 ? "\(count) workers connected" : "away, counted in this gateway"))
        }
        backends(controller, &lines)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func listeners(_ controller: Controller, _ lines: inout [String]) {
        guard let live = controller.live else { return }
        let snapshot = live.snapshot
        let header = snapshot.header.pointee
        for number in 0..<Int(header.listeners.count) {
            let listener = snapshot[header.listeners, number].pointee
            let gateway =
                snapshot.text(listener.gatewayNamespace).string + "/" + snapshot.text(listener.gatewayName).string
            let hostname = snapshot.text(listener.hostname).string
            lines.append(
                "listener       \(gateway) '\(snapshot.text(listener.name).string)' port \(listener.port), "
                    + (hostname.isEmpty ? "every host" : hostname))
        }
        for address in live.unbound { lines.append("listener       \(address) could not be bound") }
    }

    private static func workers(_ controller: Controller, _ lines: inout [String]) {
        for worker in controller.workers {
            let connections = controller.reader.value(.downstreamConnectionsNow, worker: Int(worker.index))
            lines.append(
                "worker \(worker.index)       \(MetricsPage.state(worker.state).rawValue), pid \(worker.pid), "
                    + "\(worker.restarts) restarts, \(connections) connections")
        }
    }

    /// Endpoints that are listed; `/api/backends` has all.
    private static let endpointLimit = 100

    private static func backends(_ controller: Controller, _ lines: inout [String]) {
        guard let live = controller.live else { return }
        let snapshot = live.snapshot
        let header = snapshot.header.pointee
        var left = endpointLimit
        for number in 0..<Int(header.clusters.count) where left > 0 {
            let cluster = snapshot[header.clusters, number].pointee
            let name = snapshot.text(cluster.name).string
            if cluster.endpoints.isEmpty { lines.append("backend        \(name): no endpoint") }
            for place in 0..<min(left, Int(cluster.endpoints.count)) {
                let endpoint = snapshot[cluster.endpoints, place].pointee
                let slot = controller.reader.slot(.endpoint, endpoint.slot)
                let mean = slot.mean.map { ", mean \(Double($0.nanoseconds / 10_000) / 100) ms" } ?? ""
                lines.append(
                    "backend        \(name) \(snapshot.name(of: endpoint)): "
                        + EndpointReport(endpoint.slot, controller.health).words(wallNow: controller.loop.wallNow)
                        + ", \(slot.requests) requests, \(slot.classes[4] + slot.classes[0]) failed\(mean)")
                left -= 1
            }
        }
        if left <= 0 { lines.append("…              more under /api/backends") }
    }
}
