import Config
import Core
import TLS

/// A certificate with its key as a Secret gave it, checked.
package struct ResolvedCertificate: Equatable, Sendable {
    package var plan: CertificatePlan
    /// The DNS names that it is for, lower case.
    package var names: [String]
    /// Those of them that clients reuse a connection for: its subjectAltNames.
    package var alternativeNames: [String]
    /// ECDSA, not RSA: a listener may show one of each for the same name.
    package var isECDSA: Bool
    /// Why the Secret's present pair cannot be used, so that this earlier one still is; nil: this is the present one.
    package var staleness: String?

    init(_ plan: CertificatePlan, _ facts: Certificate) {
        self.plan = plan
        names = facts.names
        alternativeNames = facts.alternativeNames
        isECDSA = facts.keyType.isECDSA
    }
}

/// Certificates with keys, as Secrets hold them; each Secret is read and checked once.
struct CertificateTable {
    struct Refusal: Error {
        var reason: ConditionReason
        var message: String
    }

    private let index: ResourceIndex
    private let grants: GrantTable
    private let now: Int64
    private let files: FollowedFiles
    /// What each Secret gave in the set before: served on when the present pair is unusable, so that a slip in renewing
    /// a certificate does not take the listener down.
    private let previous: [ResourceName: ResolvedCertificate]
    private var known: [ResourceName: Result<ResolvedCertificate, Refusal>] = [:]

    /// - Parameter now: seconds since 1970.
    init(
        index: ResourceIndex, grants: GrantTable, now: Int64, files: FollowedFiles,
        previous: [ResourceName: ResolvedCertificate]
    ) {
        self.index = index
        self.grants = grants
        self.now = now
        self.files = files
        self.previous = previous
    }

    /// Everything that somebody refers to and that can be used.
    var usable: [ResourceName: ResolvedCertificate] { known.compactMapValues { try? $0.get() } }

    /// The certificate that `reference` of a `kind` in `home` means.
    mutating func resolve(
        _ reference: ObjectReference, from kind: String, in home: String, findings: inout FindingLog
    ) -> Result<ResolvedCertificate, Refusal> {
        func refused(_ message: String) -> Result<ResolvedCertificate, Refusal> {
            .failure(Refusal(reason: .invalidCertificateRef, message: message))
        }
        guard reference.isSecret else {
            let kind = reference.kind + (reference.group.isEmpty ? "" : " of '\(reference.group)'")
            return refused("a certificate comes from a Secret, not from a \(kind)")
        }
        let target = reference.target(from: home)
        guard grants.permits(kind: kind, in: home, to: reference) else {
            return .failure(
                Refusal(
                    reason: .refNotPermitted,
                    message: "no ReferenceGrant in namespace '\(target.namespace)' lets \(kind)s of '\(home)' refer to "
                        + "Secret '\(target.name)'"))
        }
        if let before = known[target] { return before }
        guard let number = index[.secret, target] else { return refused("there is no Secret '\(target)'") }
        let resource = index.resources[number]
        let result: Result<ResolvedCertificate, Refusal>
        switch read(resource, findings: &findings) {
        case .success(let certificate): result = .success(certificate)
        case .failure(let problem):
            let message = "Secret '\(target)': \(problem.message)"
            if var kept = previous[target] {
                kept.staleness = message
                result = .success(kept)
            } else {
                result = refused(message)
            }
        }
        known[target] = result
        return result
    }

    /// The pair that annotations of the resource itself name, a Gateway's.
    mutating func resolveOwn(
        of resource: LoadedResource, findings: inout FindingLog
    ) -> Result<ResolvedCertificate, SecretData.Problem> {
        // No Secret can be called so.
        let target = ResourceName(namespace: resource.name.namespace, name: "\(resource.name.name) (Gateway)")
        var result = readPair(resource, as: target.description, findings: &findings)
        if case .failure(let problem) = result, var kept = previous[target] {
            kept.staleness = problem.message
            result = .success(kept)
        }
        known[target] = result.mapError { Refusal(reason: .invalidCertificateRef, message: $0.message) }
        return result
    }

    // MARK: one Secret

    private func read(
        _ resource: LoadedResource, findings: inout FindingLog
    ) -> Result<ResolvedCertificate, SecretData.Problem> {
        func refused(_ what: String) -> Result<ResolvedCertificate, SecretData.Problem> {
            .failure(SecretData.Problem(message: what))
        }
        let type = Secret.type(resource.node)
        guard type == Secret.tlsType else { return refused("its type is '\(type)', not '\(Secret.tlsType)'") }
        return readPair(resource, as: resource.name.description, findings: &findings)
    }

    private func readPair(
        _ resource: LoadedResource, as name: String, findings: inout FindingLog
    ) -> Result<ResolvedCertificate, SecretData.Problem> {
        func refused(_ what: String) -> Result<ResolvedCertificate, SecretData.Problem> {
            .failure(SecretData.Problem(message: what))
        }
        let data = SecretData(node: resource.node, files: files)
        let chain: [UInt8]
        switch data.value("tls.crt", annotation: Secret.certificateFileAnnotation) {
        case .success(let octets): chain = octets
        case .failure(let problem): return .failure(problem)
        case nil: return refused("'tls.crt' is missing")
        }
        let key: [UInt8]
        switch data.value("tls.key", annotation: Secret.keyFileAnnotation) {
        case .success(let octets): key = octets
        case .failure(let problem): return .failure(problem)
        case nil: return refused("'tls.key' is missing")
        }
        let checked: Result<Certificate, CertificateError> = chain.withView { chain in
            key.withView { key in Result { () throws(CertificateError) in try Certificate(chain: chain, key: key) } }
        }
        let certificate: Certificate
        switch checked {
        case .success(let facts): certificate = facts
        case .failure(let error): return refused(error.text)
        }
        if let problem = timeProblem(chain, certificate) { return refused(problem) }
        var plan = CertificatePlan(
            name: name, chain: String(decoding: chain, as: UTF8.self),
            key: String(decoding: key, as: UTF8.self), notAfter: certificate.notAfter)
        if let problem = Self.libraryProblem(plan) { return refused(problem) }
        switch data.value("tls.ocsp-staple", annotation: Secret.staplingFileAnnotation) {
        case .success(let octets):
            if let problem = staplingProblem(octets, chain) {
                tell(problem)
            } else {
                plan.ocspResponse = octets
            }
        case .failure(let problem): tell(problem.message)
        case nil: break
        }
        func tell(_ problem: String) {
            findings.warning(
                resource, resource.node[.metadata][.name], "handshakes go without an OCSP response: \(problem)")
        }
        return .success(
            ResolvedCertificate(plan, certificate))
    }

    /// Every member of the chain counts: clients build their path from what is shown.
    private func timeProblem(_ chain: [UInt8], _ leaf: Certificate) -> String? {
        if leaf.isExpired(atSecond: now) { return "the certificate has expired" }
        if now < leaf.notBefore { return "the certificate is not valid yet" }
        guard leaf.chainLength > 1 else { return nil }
        let bundle = chain.withView { try? CertificateBundle(authorities: $0) }
        for (number, entry) in (bundle?.entries ?? []).enumerated() where now > entry.notAfter {
            return "certificate number \(number + 1) of the chain has expired"
        }
        return nil
    }

    /// What the library would say when a worker first needs the pair, such as of a key that is too short.
    private static func libraryProblem(_ plan: CertificatePlan) -> String? {
        let pair = KeyPairSettings(name: plan.name, chain: plan.chain, key: plan.key)
        do throws(TLSSettingsError) {
            _ = try TLSContext(server: ServerTLSSettings(certificates: [pair]))
            return nil
        } catch {
            return error.description
        }
    }

    private func staplingProblem(_ response: [UInt8], _ chain: [UInt8]) -> String? {
        let result: Result<OCSPResponse, OCSPError> = response.withView { response in
            chain.withView { chain in
                Result { () throws(OCSPError) in try OCSPResponse(der: response, chain: chain, now: now) }
            }
        }
        guard case .failure(let error) = result else { return nil }
        return error.text
    }
}

extension Certificate.KeyType {
    var isECDSA: Bool {
        if case .ecdsa = self { return true }
        return false
    }
}
