import Config
import Core

/// What one BackendTrafficPolicy means, or several that are merged: for the requests of a rule, and for the use of its
/// backends. Each topic reads its own fields in a file of `Fields/`.
struct BackendTrafficSettings {
    var route = RouteTrafficPlan()
    var cluster = ClusterTrafficPlan()
    var proxyProtocol = ProxyProtocolVersion.none
    /// `namespace/name` of the policies, under which the use of a backend is told from others.
    var name: String
    /// What cannot be done as it is written; empty: nothing.
    var problems: [PolicyReading.Problem] = []

    /// - Parameter spec: `spec` of the policies, the nearest first.
    init(_ spec: PolicyNode, _ index: ResourceIndex) {
        var reading = PolicyReading(index: index)
        reading.refuseUnsupported(spec)
        cluster.loadBalancer = LoadBalancerPlan(spec, &reading)
        cluster.circuitBreaker = CircuitBreakerPlan(spec[FieldKey("circuitBreaker")], &reading)
        cluster.healthCheck = HealthCheckPlan(spec[.healthCheck], &reading)
        name = spec.layers.map { "\(index.resources[$0.policy].name)" }.joined(separator: " + ")
        switch spec[.proxyProtocol][.version].string {
        case "V1": proxyProtocol = .v1
        case "V2": proxyProtocol = .v2
        default: break
        }
        cluster.dns = DNSPlan(spec[.dns])
        cluster.connection = UpstreamConnectionPlan(spec, &reading)
        route.timeouts = RouteTimeoutsPlan(spec[.timeout], &reading)
        route.retry = PolicyRetryPlan(spec[.retry], &reading)
        route.hedge = HedgePlan(spec, &reading)
        route.faultInjection = FaultInjectionPlan(spec[.faultInjection], &reading)
        route.requestBuffer = RequestBufferPlan(spec[.requestBuffer], &reading)
        route.responseOverride = ResponseOverridePlan.all(spec[.responseOverride], &reading)
        route.compression = CompressorPlan.all(spec, &reading)
        route.httpUpgrade = HTTPUpgradePlan(spec[.httpUpgrade], &reading)
        route.readLimits(spec, &reading)
        problems = reading.problems
    }

    /// All that is wrong, as a status tells it; nil: nothing.
    var problem: String? {
        problems.isEmpty
            ? nil : problems.map { "\($0.node.path): \($0.message)" }.joined(separator: "; ")
    }
}
