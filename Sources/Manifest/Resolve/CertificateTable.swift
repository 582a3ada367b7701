import Core
import TLS

/// One certificate that a listener would show.
struct ListenerCertificate {
    var secret: ResourceName
    var names: [String]
}

/// Checks what listeners and Gateways refer to for TLS. It does so whether or not this version serves the protocol.
struct CertificateTable {
    private let index: ResourceIndex
    private let grants: GrantTable
    private let now: Int64
    private let readFile: (String) -> [UInt8]?
    private var known: [ResourceName: Result<Certificate, Refusal>] = [:]

    private struct Refusal: Error {
        var reason: ConditionReason
        var message: String
    }

    init(index: ResourceIndex, grants: GrantTable, now: String, readFile: @escaping (String) -> [UInt8]?) {
        self.index = index
        self.grants = grants
        self.now = (now.withView { Timestamp.nanoseconds($0) } ?? 0) / 1_000_000_000
        self.readFile = readFile
    }

    mutating func check(_ gateway: GatewayState, findings: inout FindingLog) {
        for listener in gateway.listeners {
            guard listener.protocolKind?.terminatesTLS ?? false, !listener.listener.isPassthrough else { continue }
            check(listener, of: gateway)
        }
        if let reference = gateway.gateway.clientCertificateRef,
            case .failure(let refusal) = resolve(reference, home: gateway.name.namespace)
        {
            let isGrant = refusal.reason == .refNotPermitted
            gateway.clientCertificateProblem = (
                isGrant ? .refNotPermitted : .invalidClientCertificateRef, refusal.message
            )
        }
    }

    private mutating func check(_ listener: ListenerState, of gateway: GatewayState) {
        var first: Refusal?
        for reference in listener.listener.certificateRefs {
            switch resolve(reference, home: gateway.name.namespace) {
            case .success(let certificate):
                listener.certificates.append(
                    ListenerCertificate(
                        secret: reference.target(from: gateway.name.namespace), names: certificate.names))
            case .failure(let refusal): first = first ?? refusal
            }
        }
        if listener.listener.certificateRefs.isEmpty {
            first = Refusal(
                reason: .invalidCertificateRef, message: "a listener that ends TLS needs tls.certificateRefs")
        }
        guard let first, listener.unresolvedRefs == nil else { return }
        if listener.certificates.isEmpty {
            listener.unresolvedRefs = (first.reason, first.message)
        } else {
            listener.unresolvedRefs = (.partiallyInvalidCertificateRef, first.message)
            listener.worksWithUnresolvedRefs = true
        }
    }

    // MARK: one reference

    private mutating func resolve(_ reference: ObjectReference, home: String) -> Result<Certificate, Refusal> {
        func refused(_ message: String) -> Result<Certificate, Refusal> {
            .failure(Refusal(reason: .invalidCertificateRef, message: message))
        }
        guard reference.isSecret else {
            return refused("a certificate comes from a Secret, not from a \(reference.kind)")
        }
        let target = reference.target(from: home)
        guard grants.permits(kind: "Gateway", in: home, to: reference) else {
            return .failure(
                Refusal(
                    reason: .refNotPermitted,
                    message: "no ReferenceGrant in namespace '\(target.namespace)' lets Gateways of '\(home)' refer to "
                        + "Secret '\(target.name)'"))
        }
        if let before = known[target] { return before }
        guard let number = index[.secret, target] else { return refused("there is no Secret '\(target)'") }
        let result = read(index.resources[number])
        known[target] = result
        return result
    }

    private func read(_ resource: LoadedResource) -> Result<Certificate, Refusal> {
        func refused(_ what: String) -> Result<Certificate, Refusal> {
            .failure(Refusal(reason: .invalidCertificateRef, message: "Secret '\(resource.name)': \(what)"))
        }
        let secret = Secret(resource.node)
        guard secret.type == Secret.tlsType else {
            return refused("its type is '\(secret.type)', not '\(Secret.tlsType)'")
        }
        let chain: [UInt8]
        switch part("tls.crt", Secret.certificateFileAnnotation, of: secret) {
        case .success(let octets): chain = octets
        case .failure(let problem): return refused(problem.message)
        }
        let key: [UInt8]
        switch part("tls.key", Secret.keyFileAnnotation, of: secret) {
        case .success(let octets): key = octets
        case .failure(let problem): return refused(problem.message)
        }
        let certificate: Result<Certificate, CertificateError> = chain.withView { chain in
            key.withView { key in
                Result { () throws(CertificateError) in try Certificate(chain: chain, key: key) }
            }
        }
        switch certificate {
        case .success(let certificate) where certificate.isExpired(atSecond: now):
            return refused("the certificate has expired")
        case .success(let certificate): return .success(certificate)
        case .failure(let error): return refused(error.text)
        }
    }

    private struct PartProblem: Error { var message: String }

    private func part(_ key: String, _ annotation: String, of secret: Secret) -> Result<[UInt8], PartProblem> {
        if let name = secret.node[.metadata][.annotations].entry(annotation) {
            let path = ReferencedFile.path(name, besides: secret.node.file.path)
            guard let octets = readFile(path) else {
                return .failure(PartProblem(message: "'\(path)', which \(annotation) names, cannot be read"))
            }
            return .success(octets)
        }
        guard let octets = secret.value(key) else {
            return .failure(PartProblem(message: "'\(key)' is missing or not base64"))
        }
        return .success(octets)
    }

    // MARK: listeners that could answer for each other

    /// A client may reuse a connection for every name of the certificate, so listeners of one port whose names overlap
    /// can get each other's requests (Gateway API, OverlappingTLSConfig).
    func markOverlaps(_ gateways: [GatewayState]) {
        for gateway in gateways {
            let listeners = gateway.listeners.filter { $0.protocolKind == .https }
            for (position, listener) in listeners.enumerated() {
                for (other, second) in listeners.enumerated()
                where other != position && second.listener.port == listener.listener.port {
                    if Self.overlap(listener.certificates.flatMap(\.names), second.certificates.flatMap(\.names)) {
                        listener.overlap = (
                            .overlappingCertificates,
                            "Its certificates share names with those of listener '\(second.listener.name)'"
                        )
                    } else if listener.overlap == nil,
                        Hostname.intersection(listener.listener.hostname, second.listener.hostname) != nil
                    {
                        listener.overlap = (
                            .overlappingHostnames,
                            "Its hostname overlaps with that of listener '\(second.listener.name)'"
                        )
                    }
                }
            }
        }
    }

    private static func overlap(_ a: [String], _ b: [String]) -> Bool {
        a.contains { name in b.contains { Hostname.intersection(name, $0) != nil } }
    }
}
