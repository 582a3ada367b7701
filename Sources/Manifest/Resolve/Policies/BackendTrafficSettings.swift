import Config
import Core

/// What one BackendTrafficPolicy means, or several that are merged: for the requests of a rule, and for the use of its
/// backends. Each topic reads its own fields in a file of `Fields/`.
struct BackendTrafficSettings {
    var route = RouteTrafficPlan()
    var cluster = ClusterTrafficPlan()
    var proxyProtocol = ProxyProtocolVersion.none
    /// What cannot be done as it is written; empty: nothing.
    var problems: [PolicyReading.Problem] = []

    /// - Parameter spec: `spec` of the policies, the nearest first.
    init(_ spec: PolicyNode, _ index: ResourceIndex) {
        let reading = PolicyReading(index: index)
        switch spec[.proxyProtocol][.version].string {
        case "V1": proxyProtocol = .v1
        case "V2": proxyProtocol = .v2
        default: break
        }
        problems = reading.problems
    }
}
