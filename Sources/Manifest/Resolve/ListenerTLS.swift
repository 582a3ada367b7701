import Config

/// Decides what listeners that end TLS show, and what they ask of clients.
struct ListenerTLS {
    var certificates: CertificateTable
    let authorities: AuthorityTable

    mutating func resolve(_ gateway: GatewayState, findings: inout FindingLog) {
        resolveIdentity(of: gateway, findings: &findings)
        for group in gateway.groups where group.detachment == nil {
            for listener in group.listeners { showCertificates(listener, of: group, findings: &findings) }
        }
        validateClients(of: gateway)
        for group in gateway.groups where group.detachment == nil {
            for listener in group.listeners { settleHBONE(listener, of: gateway) }
        }
        gateway.clientCertificate = gateway.identity?.certificate.plan
        guard let reference = gateway.gateway.clientCertificateRef else { return }
        switch certificates.resolve(reference, from: "Gateway", in: gateway.name.namespace, findings: &findings) {
        case .success(let certificate):
            gateway.clientCertificate = certificate.plan
            if let staleness = certificate.staleness {
                gateway.clientCertificateProblem = (.invalidClientCertificateRef, Self.kept(staleness))
            }
        case .failure(let refusal):
            gateway.clientCertificateProblem = (
                refusal.reason == .refNotPermitted ? .refNotPermitted : .invalidClientCertificateRef, refusal.message
            )
        }
    }

    private static func kept(_ staleness: String) -> String { "\(staleness); the pair before it is still used" }

    // MARK: the listener's own certificates

    private mutating func showCertificates(
        _ listener: ListenerState, of group: ListenerGroup, findings: inout FindingLog
    ) {
        let tls = listener.listener.node[.tls]
        if tls[.options].exists {
            findings.warning(group.resource, tls[.options], "options are left alone; Sluice defines none")
        }
        guard listener.protocolKind?.terminatesTLS ?? false else {
            if let first = listener.listener.certificateRefs.first, listener.protocolKind == .tlsPassthrough {
                findings.warning(
                    group.resource, first.node, "TLS that is passed through ends at the backend, which shows its own")
            }
            return
        }
        guard !listener.listener.certificateRefs.isEmpty else {
            // HBONE may have its Gateway's own.
            if listener.protocolKind == .hbone { return }
            listener.specProblem = (.invalid, "a listener that ends TLS needs tls.certificateRefs")
            return
        }
        var refusals: [CertificateTable.Refusal] = []
        var stale: String?
        for reference in listener.listener.certificateRefs {
            switch certificates.resolve(
                reference, from: group.kindName, in: group.name.namespace, findings: &findings)
            {
            case .success(let certificate):
                if let problem = Self.double(of: certificate, in: listener.certificates) {
                    refusals.append(CertificateTable.Refusal(reason: .invalidCertificateRef, message: problem))
                    continue
                }
                listener.certificates.append(certificate)
                stale = stale ?? certificate.staleness
            case .failure(let refusal): refusals.append(refusal)
            }
        }
        guard listener.unresolvedRefs == nil else { return }
        if let first = refusals.first {
            if listener.certificates.isEmpty {
                // What is not permitted is the whole truth only when nothing else is wrong, as Envoy Gateway has it.
                let other = refusals.first { $0.reason != .refNotPermitted } ?? first
                listener.unresolvedRefs = (other.reason, other.message)
            } else {
                listener.unresolvedRefs = (.partiallyInvalidCertificateRef, first.message)
                listener.worksWithUnresolvedRefs = true
            }
        } else if let stale {
            listener.unresolvedRefs = (.invalidCertificateRef, Self.kept(stale))
            listener.worksWithUnresolvedRefs = true
        }
    }

    /// Of two certificates of one kind of key for one name the client could be shown either, so the later is refused, as
    /// in Envoy Gateway. One Secret twice is the same certificate.
    private static func double(
        of certificate: ResolvedCertificate, in others: [ResolvedCertificate]
    ) -> String? {
        for other in others where other.isECDSA == certificate.isECDSA {
            guard let name = certificate.names.first(where: other.names.contains) else { continue }
            return
                "Secret '\(certificate.plan.name)': '\(name)' has a certificate of the same kind of key already, from "
                + "Secret '\(other.plan.name)'"
        }
        return nil
    }

    // MARK: clients' certificates

    /// `caCertificateRefs` resolved: what can be used, and what is wrong.
    private struct Validation {
        var plan: ClientValidationPlan?
        var problem: ListenerState.Problem?
        /// Each reference that leads nowhere, and why.
        var refused: [(node: WrittenNode, message: String)] = []
    }

    /// Gateway `spec.tls.frontend`: for HTTPS listeners, ListenerSets' among them, by port or else by default.
    private func validateClients(of gateway: GatewayState) {
        let home = gateway.name.namespace
        let everywhere = gateway.gateway.clientValidation.map { validation($0, home) }
        let byPort = gateway.gateway.clientValidationByPort.mapValues { $0.map { validation($0, home) } }
        gateway.refusedAuthorities =
            (everywhere?.refused ?? [])
            + byPort.sorted { $0.key < $1.key }.flatMap { $0.value?.refused ?? [] }
        for group in gateway.groups {
            for listener in group.listeners where listener.protocolKind == .https || listener.protocolKind == .hbone {
                guard let validation = byPort[listener.listener.port] ?? everywhere else { continue }
                listener.clientValidation = validation.plan
                guard let problem = validation.problem else { continue }
                if listener.unresolvedRefs == nil {
                    listener.unresolvedRefs = problem
                    listener.isBlamelessForRefs = true
                    listener.worksWithUnresolvedRefs = validation.plan != nil
                }
                // Whom to trust is not known, so nobody is let in.
                if validation.plan == nil, listener.refusal == nil {
                    listener.refusal = (.noValidCACertificate, problem.message)
                }
            }
        }
    }

    private func validation(_ written: Gateway.ClientValidation, _ home: String) -> Validation {
        var result = Validation()
        var usable: [String] = []
        for reference in written.authorities {
            switch authorities.resolve(reference, from: "Gateway", in: home, for: .clients) {
            case .success(let text): usable.append(text)
            case .failure(let refusal):
                let reason: ConditionReason =
                    switch refusal.cause {
                    case .notPermitted: .refNotPermitted
                    case .kind: .invalidCACertificateKind
                    case .reference: .invalidCACertificateRef
                    }
                result.refused.append((reference.node, refusal.message))
                if result.problem == nil { result.problem = (reason, "client certificates: \(refusal.message)") }
            }
        }
        if !usable.isEmpty {
            result.plan = ClientValidationPlan(
                mode: written.isInsecure ? .unverified : .require, authorities: usable.joined())
        }
        return result
    }
}
