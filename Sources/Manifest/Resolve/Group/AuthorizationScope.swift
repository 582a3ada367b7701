import Config
import Core

/// One Gateway as Istio's policies see it.
struct AuthorizationScope {
    /// Istio's own root namespace.
    static let usualRoot = "istio-system"
    /// The class of ambient's waypoints, which policies of the root namespace may name for all of them.
    static let waypointClass = "istio-waypoint"

    var gateway: ResourceName
    var className: String
    /// Policies of this namespace hold everywhere (`sluice.dev/root-namespace`).
    var root = usualRoot
    /// `sluice.dev/trust-addresses`.
    var trustsAddresses = false
    /// `sluice.dev/max-connections-per-caller`; 0: any number.
    var connectionsPerCaller: UInt32 = 0
    /// It is the gateway of a group: its calls are the members', and policies that select workloads mean those.
    var isOfGroup: Bool
    /// What a selector sees of it.
    var labels: [String: String]

    init(_ resource: LoadedResource, isOfGroup: Bool, findings: inout FindingLog) {
        gateway = resource.name
        self.isOfGroup = isOfGroup
        let spec = resource.node[.spec]
        className = spec[.gatewayClassName].string ?? ""
        labels = resource.labels
        for (name, value) in spec[.infrastructure][.labels].fields { labels[name.string] = value.string ?? "" }
        labels["gateway.networking.k8s.io/gateway-name"] = resource.name.name
        if let annotation = AnnotationText("sluice.dev/root-namespace", of: resource) {
            if annotation.text.withView({ TextFormat.isLabel($0, 0, $0.count) }) {
                root = annotation.text
            } else {
                findings.unresolved(
                    resource, annotation.node,
                    "'\(annotation.text)' is no namespace; policies of '\(root)' hold everywhere")
            }
        }
        if let annotation = AnnotationText("sluice.dev/max-connections-per-caller", of: resource) {
            if let limit = annotation.text.withView({ $0.decimal }), (1...UInt64(UInt32.max)).contains(limit) {
                connectionsPerCaller = UInt32(limit)
            } else {
                findings.unresolved(
                    resource, annotation.node,
                    "'\(annotation.text)' is no number of connections; a number from 1 up is")
            }
        }
        if let annotation = AnnotationText("sluice.dev/trust-addresses", of: resource) {
            switch annotation.text {
            case "true": trustsAddresses = true
            case "false": break
            default:
                // Of a group it has been told.
                if isOfGroup { break }
                findings.unresolved(
                    resource, annotation.node,
                    "'\(annotation.text)' is neither true nor false; addresses are not trusted")
            }
        }
    }

    /// Whether a policy in `namespace` that names the Gateway, or its class, means this one.
    func isNamed(by reference: WorkloadTarget.Reference, in namespace: String) -> Bool {
        if reference.isGateway { return namespace == gateway.namespace && reference.name == gateway.name }
        guard reference.isGatewayClass, namespace == root else { return false }
        return reference.name == className || isOfGroup && reference.name == Self.waypointClass
    }

    /// Whether a policy in `namespace` reaches what is in `home`.
    func reaches(_ home: String, from namespace: String) -> Bool { namespace == home || namespace == root }
}
