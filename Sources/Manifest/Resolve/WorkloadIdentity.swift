import Config
import TLS

/// Who a Gateway is in a mesh: its workload certificate, whom it believes, and of which trust domain all of them must be.
struct WorkloadIdentity {
    /// Names the trust domain; `cluster.local` without it.
    static let trustDomainAnnotation: StaticString = "sluice.dev/trust-domain"
    static let defaultTrustDomain = "cluster.local"

    var certificate: ResolvedCertificate
    /// PEM.
    var authorities: String
    var trustDomain: String

    /// The annotations that make one.
    static let annotations =
        "\(Secret.certificateFileAnnotation), \(Secret.keyFileAnnotation) and \(Secret.authorityFileAnnotation)"

    /// What `sluice.dev/trust-domain` says.
    static func trustDomain(of resource: LoadedResource) -> Result<String, Problem> {
        guard let written = AnnotationText(trustDomainAnnotation, of: resource) else {
            return .success(defaultTrustDomain)
        }
        guard written.text.withView({ SPIFFEID.isTrustDomain($0) }) else {
            return .failure(
                Problem(
                    node: written.node,
                    message: "'\(written.text)' is no trust domain; lower-case letters, digits, dots, dashes and "
                        + "underscores make one, such as '\(defaultTrustDomain)'"))
        }
        return .success(written.text)
    }

    struct Problem: Error {
        var node: WrittenNode
        var message: String
    }
}

extension ListenerTLS {
    /// The Gateway's identity, where its annotations name files for one.
    mutating func resolveIdentity(of gateway: GatewayState, findings: inout FindingLog) {
        let resource = gateway.resource
        switch WorkloadIdentity.trustDomain(of: resource) {
        case .success(let trustDomain): gateway.trustDomain = trustDomain
        case .failure(let problem):
            findings.unresolved(resource, problem.node, problem.message)
            gateway.identityProblem = problem.message
            return
        }
        let names: [StaticString] = ["sluice.dev/cert-file", "sluice.dev/key-file", "sluice.dev/ca-file"]
        let written = names.compactMap { AnnotationText($0, of: resource) }
        guard let first = written.first else { return }
        func refuse(_ message: String, _ node: WrittenNode? = nil) {
            gateway.identityProblem = message
            findings.unresolved(resource, node ?? first.node, message)
        }
        guard written.count == names.count else {
            let missing = names.filter { AnnotationText($0, of: resource) == nil }.map(\.description)
            return refuse(
                "a Gateway's own certificate needs all three of \(WorkloadIdentity.annotations), and "
                    + "\(missing.joined(separator: " and ")) \(missing.count == 1 ? "is" : "are") missing")
        }
        let certificate: ResolvedCertificate
        switch certificates.resolveOwn(of: resource, findings: &findings) {
        case .success(let found): certificate = found
        case .failure(let problem): return refuse("the Gateway's certificate: \(problem.message)", problem.node)
        }
        if let staleness = certificate.staleness {
            findings.unresolved(resource, first.node, "\(staleness); the pair before it is still used")
        }
        let facts = Array(certificate.plan.chain.utf8).withView { try? Certificate(chain: $0, key: nil) }
        guard let id = facts?.identity, id.trustDomain == gateway.trustDomain else {
            let shown = facts?.identity.map { "'\($0)'" } ?? "no SPIFFE id (one URI, 'spiffe://…')"
            let remedy =
                facts?.identity.map {
                    "; write \(WorkloadIdentity.trustDomainAnnotation): \($0.trustDomain) on the Gateway if that is its domain"
                } ?? ""
            return refuse(
                "the Gateway's certificate has \(shown), which is not of trust domain '\(gateway.trustDomain)'" + remedy
            )
        }
        switch authorities.resolveOwn(of: resource) {
        case .success(let text):
            gateway.identity = WorkloadIdentity(
                certificate: certificate, authorities: text, trustDomain: gateway.trustDomain)
        case .failure(let problem):
            refuse("the Gateway's authorities: \(problem.message)", problem.node ?? written[2].node)
        }
    }

    /// What a listener of protocol HBONE shows and asks for: without `tls` what the Gateway itself has. Clients always show
    /// a workload's certificate of the Gateway's trust domain, whatever else is written.
    mutating func settleHBONE(_ listener: ListenerState, of gateway: GatewayState) {
        guard listener.protocolKind == .hbone, listener.refusal == nil else { return }
        listener.trustDomain = gateway.trustDomain
        if listener.certificates.isEmpty, listener.listener.certificateRefs.isEmpty, let identity = gateway.identity {
            listener.certificates = [identity.certificate]
        }
        if listener.clientValidation == nil, listener.unresolvedRefs == nil, let identity = gateway.identity {
            listener.clientValidation = ClientValidationPlan(mode: .require, authorities: identity.authorities)
        }
        listener.clientValidation?.mode = .require
        listener.clientValidation?.trustDomain = gateway.trustDomain
        guard listener.specProblem == nil, listener.unresolvedRefs == nil else { return }
        let problem = gateway.identityProblem
        if listener.certificates.isEmpty {
            listener.specProblem = (
                .invalid,
                "a listener of protocol HBONE needs a certificate: "
                    + (problem
                        ?? "tls.certificateRefs, or on its Gateway the annotations \(WorkloadIdentity.annotations)")
            )
        } else if listener.clientValidation == nil {
            listener.specProblem = (
                .invalid,
                "a listener of protocol HBONE needs authorities for its clients: "
                    + (problem
                        ?? "spec.tls.frontend, or on its Gateway the annotation \(Secret.authorityFileAnnotation)")
            )
        }
    }
}
