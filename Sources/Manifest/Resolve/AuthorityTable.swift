import Core
import TLS

/// Certificates of authorities, as ConfigMaps and Secrets hold them (`caCertificateRefs`).
struct AuthorityTable {
    struct Refusal: Error {
        enum Cause {
            case notPermitted, kind, reference
        }
        var cause: Cause
        var message: String
    }

    private let index: ResourceIndex
    private let grants: GrantTable
    private let now: Int64
    private let files: FollowedFiles

    /// - Parameter now: seconds since 1970.
    init(index: ResourceIndex, grants: GrantTable, now: Int64, files: FollowedFiles) {
        self.index = index
        self.grants = grants
        self.now = now
        self.files = files
    }

    /// Which certificates of a bundle count, and where they may stand.
    enum Purpose {
        /// To check clients by: those that have expired are dropped, and the key is `ca.crt`.
        case clients
        /// To check backends by, as Envoy Gateway has it: all of them; without `ca.crt`, `tls.crt` or else the first key.
        case backends
    }

    /// The certificates that `reference` of a `kind` in `home` means.
    /// - Returns: PEM, certificates and nothing else.
    func resolve(
        _ reference: ObjectReference, from kind: String, in home: String, for purpose: Purpose
    ) -> Result<String, Refusal> {
        func refused(_ message: String) -> Result<String, Refusal> {
            .failure(Refusal(cause: .reference, message: message))
        }
        guard reference.isConfigMap || reference.isSecret else {
            return .failure(
                Refusal(
                    cause: .kind,
                    message: "certificates of authorities come from a ConfigMap or a Secret, not from a "
                        + (reference.group.isEmpty ? reference.kind : "\(reference.kind) of '\(reference.group)'")))
        }
        let target = reference.target(from: home)
        guard grants.permits(kind: kind, in: home, to: reference) else {
            return .failure(
                Refusal(
                    cause: .notPermitted,
                    message: "no ReferenceGrant in namespace '\(target.namespace)' lets \(kind)s of '\(home)' refer to "
                        + "\(reference.kind) '\(target.name)'"))
        }
        guard let number = index[reference.isSecret ? .secret : .configMap, target] else {
            return refused("there is no \(reference.kind) '\(target)'")
        }
        let name = "\(reference.kind) '\(target)'"
        switch text(of: index.resources[number], for: purpose) {
        case .failure(let problem): return refused("\(name): \(problem.message)")
        case nil: return refused("\(name) has no key 'ca.crt'")
        case .success(let octets):
            return certificates(octets, for: purpose).mapError {
                Refusal(cause: .reference, message: "\(name): \($0.message)")
            }
        }
    }

    /// The certificates of the file that an annotation of the resource itself names, a Gateway's.
    /// - Returns: PEM, certificates and nothing else.
    func resolveOwn(of resource: LoadedResource) -> Result<String, SecretData.Problem> {
        let data = SecretData(node: resource.node, files: files)
        switch data.value("", annotation: Secret.authorityFileAnnotation) {
        case nil: return .failure(SecretData.Problem(message: "\(Secret.authorityFileAnnotation) is missing"))
        case .failure(let problem): return .failure(problem)
        case .success(let octets): return certificates(octets, for: .clients)
        }
    }

    /// The certificate revocation lists that `reference` of a `kind` in `home` means: the key `ca.crl`.
    /// - Returns: PEM.
    func revocationLists(
        _ reference: ObjectReference, from kind: String, in home: String
    ) -> Result<String, Refusal> {
        func refused(_ message: String) -> Result<String, Refusal> {
            .failure(Refusal(cause: .reference, message: message))
        }
        guard reference.isConfigMap || reference.isSecret else {
            return .failure(
                Refusal(
                    cause: .kind,
                    message: "revocation lists come from a ConfigMap or a Secret, not from a \(reference.kind)"))
        }
        let target = reference.target(from: home)
        let name = "\(reference.kind) '\(target)'"
        guard grants.permits(kind: kind, in: home, to: reference) else {
            return .failure(
                Refusal(
                    cause: .notPermitted,
                    message: "no ReferenceGrant in namespace '\(target.namespace)' lets \(kind)s of '\(home)' refer to "
                        + name))
        }
        guard let number = index[reference.isSecret ? .secret : .configMap, target] else {
            return refused("there is no \(name)")
        }
        let node = index.resources[number].node
        let key = "ca.crl"
        let found: Result<[UInt8], SecretData.Problem>? =
            reference.isConfigMap
            ? node[.data].entry(key).map { .success(Array($0.utf8)) } : SecretData(node: node, files: files).value(key)
        switch found {
        case nil: return refused("\(name) has no key '\(key)'")
        case .failure(let problem): return refused("\(name): \(problem.message)")
        case .success(let octets):
            let bundle: Result<CertificateBundle, CertificateError> = octets.withView { view in
                Result { () throws(CertificateError) in try CertificateBundle(revocationLists: view) }
            }
            if case .failure(let error) = bundle { return refused("\(name): \(error.text)") }
            return .success(String(decoding: octets, as: UTF8.self))
        }
    }

    private func text(
        of resource: LoadedResource, for purpose: Purpose
    ) -> Result<[UInt8], SecretData.Problem>? {
        let node = resource.node
        let data = SecretData(node: node, files: files)
        func value(_ key: String) -> Result<[UInt8], SecretData.Problem>? {
            // A ConfigMap's data is plain text.
            if resource.kind == .configMap { return node[.data].entry(key).map { .success(Array($0.utf8)) } }
            return data.value(key)
        }
        if node[.metadata][.annotations].entry(Secret.authorityFileAnnotation) != nil {
            return data.value("", annotation: Secret.authorityFileAnnotation)
        }
        if let found = value("ca.crt") { return found }
        guard purpose == .backends else { return nil }
        if let found = value("tls.crt") { return found }
        let keys = node[.data].fields.map(\.name.string) + node[.stringData].fields.map(\.name.string)
        return keys.min().flatMap(value)
    }

    /// The certificates of a bundle that count.
    private func certificates(_ octets: [UInt8], for purpose: Purpose) -> Result<String, SecretData.Problem> {
        var usable: [Substring] = []
        var expired = 0
        for block in PEMBlock.certificates(in: String(decoding: octets, as: UTF8.self)) {
            let facts = Array(block.utf8).withView { view in try? Certificate(chain: view, key: nil) }
            guard let facts else {
                return .failure(SecretData.Problem(message: "a certificate in it cannot be read"))
            }
            if purpose == .clients, facts.isExpired(atSecond: now) || now < facts.notBefore {
                expired += 1
            } else {
                usable.append(block)
            }
        }
        guard !usable.isEmpty else {
            return .failure(
                SecretData.Problem(
                    message: expired > 0
                        ? "every certificate in it has expired" : "there is no PEM certificate in it"))
        }
        return .success(usable.joined(separator: "\n") + "\n")
    }
}

/// Parts of PEM text (RFC 7468).
enum PEMBlock {
    private static let begin = "-----BEGIN CERTIFICATE-----"
    private static let end = "-----END CERTIFICATE-----"

    /// The certificates in `text`, each from its first dash to its last; what stands between them is left out.
    static func certificates(in text: String) -> [Substring] {
        var blocks: [Substring] = []
        var start: String.Index?
        for line in text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline) {
            if line.utf8.starts(with: begin.utf8) {
                start = line.startIndex
            } else if line.utf8.starts(with: end.utf8), let from = start {
                blocks.append(text[from..<line.utf8.index(line.startIndex, offsetBy: end.utf8.count)])
                start = nil
            }
        }
        return blocks
    }
}
