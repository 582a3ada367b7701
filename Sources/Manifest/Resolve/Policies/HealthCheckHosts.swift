import Config

extension GatewayPlan {
    /// Tells the health checks by HTTP which host the first route names that uses a backend, for where neither the policy nor
    /// the endpoint does (`healthCheck.active.http.hostname`). The first in the order of listeners: checks are made once,
    /// however many routes use the backend.
    mutating func nameHostsOfHealthChecks() {
        let asking = clusters.indices.filter {
            guard case .http(let plan) = clusters[$0].traffic.healthCheck.active?.probe else { return false }
            return plan.hostname.isEmpty && plan.routeHostname.isEmpty
        }
        guard !asking.isEmpty else { return }
        var unnamed = Set(asking)
        for listener in sockets.lazy.flatMap(\.listeners) where !unnamed.isEmpty {
            for attachment in listener.attachments {
                guard let host = attachment.hostnames.first(where: { !$0.isEmpty && !$0.hasPrefix("*") }) else {
                    continue
                }
                for case .cluster(let number) in routes[attachment.route].rules.lazy.flatMap(\.backends).map(\.target)
                where unnamed.remove(number) != nil {
                    guard case .http(var plan) = clusters[number].traffic.healthCheck.active?.probe else { continue }
                    plan.routeHostname = host
                    clusters[number].traffic.healthCheck.active?.probe = .http(plan)
                }
            }
        }
    }
}
