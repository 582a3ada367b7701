import Config
import Core

/// The Backends of Envoy Gateway's schema, resolved once each.
struct BackendTable {
    /// What a Backend came to.
    struct Resolved {
        var name: ResourceName
        var endpoints: [EndpointPlan] = []
        var isFallback = false
        var names: [DNSNamePlan] = []
        /// The host is the request's.
        var dynamicResolver: DynamicResolverPlan?
        var protocols: EnvoyBackend.Protocols = []
        /// How TLS is spoken by `spec.tls`; nil: it is not.
        var tls: TLS?
        /// Why it cannot be used at all.
        var problem: RuleResolution.Problem?
    }
    struct TLS {
        var trust: UpstreamTLSPlan.Trust?
        /// Why nobody is trusted, or why no name is checked.
        var problem: RuleResolution.Problem?
        var serverName: String
        /// Each endpoint has a name of its own, or the request says it.
        var namesDiffer: Bool
        var clientCertificate: CertificatePlan?
        var settings: WrittenTLS
    }
    private var byNumber: [Int: Resolved] = [:]

    init(
        _ index: ResourceIndex, _ policies: BackendTLSPolicyTable, _ authorities: AuthorityTable,
        _ certificates: inout CertificateTable, findings: inout FindingLog
    ) {
        for number in index.resources.indices {
            let resource = index.resources[number]
            guard resource.kind == .backend, !resource.isReplaced else { continue }
            // Whom to trust, and the name, are a BackendTLSPolicy's to say where there is one.
            var isSecured = true
            if case .none = policies.verdict(onBackend: resource.name).verdict { isSecured = false }
            let resolved = Self.resolve(resource, isSecured ? nil : authorities, &certificates, &findings)
            for problem in [resolved.problem, resolved.tls?.problem] {
                if let problem { findings.unresolved(resource, problem.node, problem.message) }
            }
            byNumber[number] = resolved
        }
    }

    /// - Parameter number: a Backend's among the set's resources.
    subscript(number: Int) -> Resolved {
        guard let known = byNumber[number] else { preconditionFailure("no Backend") }
        return known
    }

    /// The conditions of each Backend, by its number among the set's resources.
    var statuses: [Int: [Condition]] {
        byNumber.mapValues { backend in
            if let problem = backend.problem ?? backend.tls?.problem {
                return [Condition(.accepted, false, .invalid, "\(problem.node.path): \(problem.message)")]
            }
            return [Condition(.accepted, true, .accepted, "Backend is accepted")]
        }
    }

    private static func resolve(
        _ resource: LoadedResource, _ authorities: AuthorityTable?, _ certificates: inout CertificateTable,
        _ findings: inout FindingLog
    ) -> Resolved {
        let backend = EnvoyBackend(resource.node)
        var resolved = Resolved(name: resource.name, protocols: backend.protocols)
        resolved.isFallback = backend.isFallback
        let spec = resource.node[.spec]
        if let field = FieldSupport.unsupported(resource).first(where: { $0.state == .refused }) {
            resolved.problem = .init(reason: .unsupportedValue, message: field.message, node: field.node)
        }
        if backend.isDynamicResolver {
            resolved.dynamicResolver = DynamicResolverPlan(resource, &findings)
        }
        let service = DNSService.read(resource, findings: &findings)
        for (endpoint, hostname, zone) in backend.endpoints {
            switch endpoint {
            case .address(let address):
                var plan = EndpointPlan(address: address)
                plan.hostname = hostname ?? ""
                plan.zone = zone
                resolved.endpoints.append(plan)
            case .name(var name):
                name.service = service ?? ""
                name.hostname = hostname ?? ""
                name.zone = zone
                resolved.names.append(name)
            case .unix(let path):
                if path.utf8.count > EndpointPlan.longestUnixPath {
                    resolved.problem = .init(
                        reason: .invalid,
                        message:
                            "'\(path)' is longer than the \(EndpointPlan.longestUnixPath) octets that a Unix socket's path may have",
                        node: spec[.endpoints])
                }
                var plan = EndpointPlan(unixPath: path)
                plan.hostname = hostname ?? ""
                plan.zone = zone
                resolved.endpoints.append(plan)
            }
        }
        if backend.tls.exists {
            resolved.tls = tls(of: backend, resource, authorities, &certificates, &findings)
        }
        return resolved
    }

    private static func tls(
        of backend: EnvoyBackend, _ resource: LoadedResource, _ authorities: AuthorityTable?,
        _ certificates: inout CertificateTable, _ findings: inout FindingLog
    ) -> TLS {
        let node = backend.tls
        let home = resource.name.namespace
        let serverName = serverName(of: backend)
        var tls = TLS(serverName: serverName ?? "", namesDiffer: serverName == nil, settings: WrittenTLS(node))
        tls.problem = tls.settings.problem
        tls.settings.tell(resource, into: &findings)
        if node[.insecureSkipVerify].boolean == true {
            tls.trust = UpstreamTLSPlan.Trust.none
        } else if let authorities {
            var references: [ObjectReference] = []
            for item in node[.caCertificateRefs].items {
                references.append(ObjectReference(item, defaultKind: "ConfigMap"))
            }
            let written = node[.wellKnownCACertificates]
            let found = BackendAuthorities(
                // Whoever asks for TLS and names nobody means what everybody trusts.
                references, wellKnown: written.string.flatMap { $0.isEmpty ? nil : $0 } ?? BackendAuthorities.systemSet,
                written, from: "Backend", in: home, authorities)
            tls.trust = found.trust
            tls.problem = tls.problem ?? found.problem
            if tls.serverName.isEmpty, !tls.namesDiffer, found.trust == .system {
                tls.problem =
                    tls.problem
                    ?? .init(
                        reason: .invalid,
                        message:
                            "any host on the Internet could pose as this backend, because no name is checked; set sni",
                        node: node)
            }
        }
        let reference = node[.clientCertificateRef]
        if reference.exists {
            let written = ObjectReference(reference, defaultKind: "Secret")
            switch certificates.resolve(written, from: "Backend", in: home, findings: &findings) {
            case .success(let certificate): tls.clientCertificate = certificate.plan
            case .failure(let refusal):
                tls.problem =
                    tls.problem ?? .init(reason: .invalid, message: refusal.message, node: reference)
            }
        }
        return tls
    }

    /// `sni`; else the one name that all endpoints have, empty for those without one. Nil: the names differ, and each
    /// connection is made under its own.
    private static func serverName(of backend: EnvoyBackend) -> String? {
        if let name = backend.tls[.sni].string { return name }
        if backend.isDynamicResolver { return nil }
        let names = Set(backend.endpoints.map { $0.hostname ?? "" })
        if names.count == 1 { return names.first }
        return names.contains("") ? "" : nil
    }
}
