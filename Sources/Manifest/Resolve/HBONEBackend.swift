import Config
import TLS

/// A Service whose endpoints are reached by HBONE, and what is known of who answers there.
struct HBONEBackend: Equatable {
    static let annotation: StaticString = "sluice.dev/hbone"
    /// What Istio's agent puts on a workload whose connections its ztunnel takes.
    static let redirectionAnnotation: StaticString = "ambient.istio.io/redirection"
    static let portAnnotation: StaticString = "sluice.dev/hbone-port"
    static let accountAnnotation: StaticString = "sluice.dev/service-account"

    var namespace: String
    var port = TunnelPlan.usualPort
    /// Of whoever answers; nil: any of the namespace's.
    var serviceAccount: String?

    /// Nil: it is reached directly.
    init?(_ resource: LoadedResource, findings: inout FindingLog) {
        let own = AnnotationText(Self.annotation, of: resource)
        if let own, own.text != "true", own.text != "false" {
            // Of the two readings the one in which nothing goes out in clear text.
            findings.unresolved(resource, own.node, "'\(own.text)' is neither 'true' nor 'false'; taken as 'true'")
        }
        let redirected = AnnotationText(Self.redirectionAnnotation, of: resource)?.text == "enabled"
        guard own.map({ $0.text != "false" }) ?? redirected else { return nil }
        namespace = resource.name.namespace
        if let written = AnnotationText(Self.portAnnotation, of: resource) {
            if let number = UInt16(written.text), number > 0 {
                port = number
            } else {
                findings.unresolved(
                    resource, written.node,
                    "'\(written.text)' is no port, a number from 1 to 65535 is; \(TunnelPlan.usualPort) is used")
            }
        }
        if let written = AnnotationText(Self.accountAnnotation, of: resource) {
            if SPIFFEID(trustDomain: "a", namespace: namespace, serviceAccount: written.text) != nil {
                serviceAccount = written.text
            } else {
                findings.unresolved(
                    resource, written.node, "'\(written.text)' is no service account; nobody is believed to be it")
                // No id can be this, so no handshake succeeds.
                serviceAccount = "/"
            }
        }
    }

    func plan(from gateway: ResourceName, _ identity: WorkloadIdentity) -> TunnelPlan {
        var tls = UpstreamTLSPlan(trust: .bundle(identity.authorities), serverName: "", hostname: "")
        tls.clientCertificate = identity.certificate.plan
        tls.trustDomain = identity.trustDomain
        let prefix = "spiffe://\(identity.trustDomain)/ns/\(namespace)/sa/"
        tls.subjectAltNames = [
            SubjectAltNameMatchPlan(
                nameType: .uri, matchType: serviceAccount == nil ? .prefix : .exact,
                value: prefix + (serviceAccount ?? ""))
        ]
        var plan = TunnelPlan(tls: tls, port: port)
        plan.baggage = Self.baggage(of: gateway)
        return plan
    }

    /// What a CONNECT says of the Gateway that makes it.
    static func baggage(of gateway: ResourceName) -> String {
        "k8s.namespace.name=\(gateway.namespace),service.name=\(gateway.name)"
    }
}
