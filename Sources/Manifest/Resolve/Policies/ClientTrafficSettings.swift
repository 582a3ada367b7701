import Config
import Core

/// What a ClientTrafficPolicy means for the listeners that it is attached to. What becomes of each of its fields stands in
/// ``FieldSupport``.
struct ClientTrafficSettings {
    /// Nil: the listener's own.
    var tls: WrittenTLS?
    var clientValidation: ClientValidationPlan?
    var proxyProtocol = ProxyProtocolAcceptance.off
    var forwardedClientCert = ForwardedClientCertPlan()
    /// Everything else.
    var plan = ClientTrafficPlan()
    /// What of it cannot be done as it is written.
    var problem: RuleResolution.Problem?
    /// Nobody may be let in, because it is not known who is to be trusted.
    var isUnsafe = false

    /// - Parameter number: the policy's among the set's resources.
    init(_ policy: LoadedResource, _ authorities: AuthorityTable, _ index: ResourceIndex, number: Int) {
        let spec = policy.node[.spec]
        if spec[.tls].exists {
            let written = WrittenTLS(spec[.tls])
            tls = written
            problem = written.problem
            if spec[.tls][.clientValidation].exists {
                validateClients(spec[.tls][.clientValidation], policy, authorities)
            }
        }
        if spec[.proxyProtocol].exists {
            proxyProtocol = spec[.proxyProtocol][.optional].boolean == true ? .optional : .required
        } else if spec[.enableProxyProtocol].boolean == true {
            proxyProtocol = .required
        }
        forwardedClientCert = ForwardedClientCertPlan(spec[.headers][.xForwardedClientCert])
        var reading = PolicyReading(index: index)
        reading.refuseUnsupported(PolicyNode(spec, policy: number))
        plan = ClientTrafficPlan(PolicyNode(spec, policy: number), &reading)
        if let first = reading.problems.first {
            plan.isInvalid = true
            problem = problem ?? .init(reason: first.reason, message: first.message, node: first.node.nearest)
        }
    }

    private mutating func validateClients(
        _ node: WrittenNode, _ policy: LoadedResource, _ authorities: AuthorityTable
    ) {
        let kind = policy.kind.name.description
        let home = policy.name.namespace
        var usable: [String] = []
        var refusal: RuleResolution.Problem?
        for item in node[.caCertificateRefs].items {
            switch authorities.resolve(
                ObjectReference(item, defaultKind: "Secret"), from: kind, in: home, for: .clients)
            {
            case .success(let text): usable.append(text)
            case .failure(let why):
                refusal = refusal ?? .init(reason: .invalid, message: why.message, node: item)
            }
        }
        var plan = ClientValidationPlan(mode: Self.mode(node), authorities: usable.joined())
        plan.allowsExpired = node[.allowExpiredCertificate].boolean ?? false
        plan.checksOnlyLeafRevocation = node[.crl][.onlyVerifyLeafCertificate].boolean ?? false
        for item in node[.crl][.refs].items {
            switch authorities.revocationLists(
                ObjectReference(item, defaultKind: "Secret"), from: kind, in: home)
            {
            case .success(let text): plan.revocationLists += text
            case .failure(let why):
                // Without a list nobody could be told from those whose certificate was revoked.
                isUnsafe = true
                refusal = refusal ?? .init(reason: .invalid, message: why.message, node: item)
            }
        }
        func refuse(_ item: WrittenNode, _ message: String) {
            // Nobody would be let in by it, and whoever it meant would wonder why.
            isUnsafe = true
            refusal = refusal ?? .init(reason: .invalid, message: message, node: item)
        }
        for item in node[.spkiHashes].items {
            let text = item.string ?? ""
            plan.spkiHashes.append(text)
            if text.withView({ Base64.decode($0) })?.count != Self.digestLength {
                refuse(item, "'\(text)' is no SHA-256 of a key; right would be 32 octets in base64")
            }
        }
        for item in node[.certificateHashes].items {
            let text = item.string ?? ""
            plan.certificateHashes.append(text)
            let digits = text.utf8.filter { $0 != UInt8(ascii: ":") }
            if digits.count != 2 * Self.digestLength || !digits.allSatisfy({ ASCII.hexValue($0) != nil }) {
                refuse(item, "'\(text)' is no SHA-256 of a certificate; right would be 64 hexadecimal digits")
            }
        }
        let names = node[.subjectAltNames]
        let kinds: [(FieldKey, SubjectAltNameMatchPlan.NameType)] = [
            (.dnsNames, .dns), (.emailAddresses, .email), (.ipAddresses, .ipAddress), (.uris, .uri),
            (.otherNames, .otherName),
        ]
        for (key, type) in kinds {
            for item in names[key].items {
                let match = SubjectAltNameMatchPlan(item, type)
                if match.matchType == .regularExpression, let why = RegularExpressions.problem(match.value) {
                    isUnsafe = true
                    refusal =
                        refusal
                        ?? .init(
                            reason: .invalid, message: "'\(match.value)' is no regular expression: \(why)", node: item)
                }
                plan.subjectAltNames.append(match)
            }
        }
        let isVerified = plan.mode == .require || plan.mode == .optional
        if isVerified, usable.isEmpty, plan.spkiHashes.isEmpty, plan.certificateHashes.isEmpty {
            isUnsafe = true
            refusal =
                refusal
                ?? .init(
                    reason: .invalid,
                    message: "nothing says which certificates of clients are good; name caCertificateRefs or hashes",
                    node: node)
        }
        // One authority of several may be missing; when all are, hashes alone must not let in what they should confirm.
        if isVerified, usable.isEmpty, node[.caCertificateRefs].items.contains(where: { $0.exists }) { isUnsafe = true }
        problem = problem ?? refusal
        clientValidation = plan
    }

    /// Octets of a SHA-256.
    private static let digestLength = 32

    private static func mode(_ node: WrittenNode) -> ClientValidationPlan.Mode {
        switch node[.mode].string {
        case "Request": .unverified
        case "RequireAny": .requireUnverified
        case "VerifyIfGiven": .optional
        case "RequireAndVerify": .require
        default: node[.optional].boolean == true ? .optional : .require
        }
    }
}

extension SubjectAltNameMatchPlan {
    /// Envoy Gateway's StringMatch, of one kind of name.
    fileprivate init(_ node: WrittenNode, _ nameType: NameType) {
        let matchType: MatchType =
            switch node[.type].string {
            case "Prefix": .prefix
            case "Suffix": .suffix
            case "RegularExpression": .regularExpression
            default: .exact
            }
        self.init(nameType: nameType, matchType: matchType, value: node[.value].string ?? "")
        oid = node[.oid].string ?? ""
    }
}

extension ForwardedClientCertPlan {
    /// ClientTrafficPolicy `headers.xForwardedClientCert`.
    fileprivate init(_ node: WrittenNode) {
        self.init()
        switch node[.mode].string {
        case "ForwardOnly": mode = .forwardOnly
        case "AppendForward": mode = .appendForward
        case "SanitizeSet": mode = .sanitizeSet
        case "AlwaysForwardOnly": mode = .alwaysForwardOnly
        default: mode = .sanitize
        }
        for item in node[.certDetailsToAdd].items {
            switch item.string {
            case "Subject": details.insert(.subject)
            case "Cert": details.insert(.cert)
            case "Chain": details.insert(.chain)
            case "DNS": details.insert(.dns)
            case "URI": details.insert(.uri)
            default: break
            }
        }
    }
}
