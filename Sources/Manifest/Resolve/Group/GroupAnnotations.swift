import Config
import Core
import TLS

/// What a Gateway's annotations say of it as a group's gateway.
struct GroupAnnotations {
    private static let group: StaticString = "sluice.dev/group"
    private static let byName = "by-name"

    /// `sluice.dev/cluster-domain`.
    var clusterDomain: String?
    /// `sluice.dev/egress`.
    var egress = EgressDefault.deny
    /// `sluice.dev/trust-addresses`.
    var trustsAddresses = false
    /// What its members have where they say nothing else.
    let fairShare: FairSharePlan
    /// `sluice.dev/trusted-forwarders`: principals, with their scheme.
    var trustedForwarders: [String] = []

    init(_ gateway: LoadedResource, findings: inout FindingLog) {
        fairShare = FairShareAnnotations.read(gateway, findings: &findings)
        if let written = AnnotationText(Self.group, of: gateway), written.text != Self.byName {
            Self.refuse(written, of: gateway, "\(Self.byName) is", findings: &findings)
        }
        if let written = AnnotationText("sluice.dev/egress", of: gateway) {
            switch written.text {
            case "allow": egress = .allow
            case "deny": egress = .deny
            default: Self.refuse(written, of: gateway, "allow and deny are", findings: &findings)
            }
        }
        if egress == .deny, let written = AnnotationText(DynamicResolverPlan.annotation, of: gateway) {
            switch written.text {
            case "true":
                findings.warning(
                    gateway, written.node,
                    "it says nothing where sluice.dev/egress is not allow: nobody is let out, so not to this machine either"
                )
            case "false": break
            default: Self.refuse(written, of: gateway, "true and false are", findings: &findings)
            }
        }
        if let written = AnnotationText("sluice.dev/trust-addresses", of: gateway) {
            switch written.text {
            case "true": trustsAddresses = true
            case "false": trustsAddresses = false
            default: Self.refuse(written, of: gateway, "true and false are", findings: &findings)
            }
        }
        if let written = AnnotationText("sluice.dev/trusted-forwarders", of: gateway) {
            for part in written.text.split(separator: ",") {
                let name = AnnotationText.trimmed(part)
                let principal = name.hasPrefix("spiffe://") ? name : "spiffe://" + name
                // A trust domain alone is nobody who could call.
                guard let id = SPIFFEID(principal), !id.path.isEmpty else {
                    findings.unresolved(
                        gateway, written.node,
                        "'\(name)' is no principal; write one such as 'cluster.local/ns/istio-system/sa/ztunnel'")
                    continue
                }
                trustedForwarders.append(principal)
            }
        }
        if let written = AnnotationText("sluice.dev/cluster-domain", of: gateway) {
            var name = written.text.lowercased()
            if name.hasSuffix(".") { name.removeLast() }
            if name.withView({ TextFormat.isSubdomain($0) }) {
                clusterDomain = name
            } else {
                findings.unresolved(
                    gateway, written.node, "'\(written.text)' is no domain; write one such as 'cluster.local'")
            }
        }
    }

    /// Whether its listeners take calls to its members by their names (`sluice.dev/group: by-name`).
    static func isByName(_ gateway: LoadedResource) -> Bool {
        AnnotationText(group, of: gateway)?.text == byName
    }

    private static func refuse(
        _ written: AnnotationText, of gateway: LoadedResource, _ right: String, findings: inout FindingLog
    ) {
        findings.unresolved(gateway, written.node, "'\(written.text)' is no value of \(written.name); \(right)")
    }
}
