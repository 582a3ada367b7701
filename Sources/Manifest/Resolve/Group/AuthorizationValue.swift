import Config
import Core

/// One value of a field of an AuthorizationPolicy, as it is matched; or what is wrong with it.
enum AuthorizationValue {
    case value(AuthorizationValuePlan)
    case wrong(String)

    /// - Parameter namespace: the policy's.
    static func read(
        _ node: WrittenNode, _ attribute: AuthorizationPredicatePlan.Attribute, namespace: String
    ) -> AuthorizationValue {
        let text = node.string ?? ""
        if text.isEmpty { return .wrong("an empty value is not allowed") }
        switch attribute {
        case .sourceAddress, .clientAddress, .destinationAddress:
            guard let range = text.withView({ AddressRange($0) }) else {
                return .wrong("'\(text)' is neither an address nor a range such as '10.0.0.0/8'")
            }
            return .value(AuthorizationValuePlan(range: range))
        case .destinationPort:
            guard let port = text.withView({ $0.decimal }), port <= 65535 else {
                return .wrong("'\(text)' is no port; a number up to 65535 is")
            }
            return .value(AuthorizationValuePlan(port: UInt16(port)))
        case .sourceNamespace:
            return .value(
                text.contains("*") ? AuthorizationValuePlan(.glob, text) : AuthorizationValuePlan(.exact, text))
        case .sourceServiceAccount: return account(text, namespace)
        case .sourceTrustDomain:
            if text.contains("/") { return .wrong("'\(text)' is no trust domain; it has no slash") }
            let stars = text.filter { $0 == "*" }.count
            guard stars == 0 || stars == 1 && (text.hasPrefix("*") || text.hasSuffix("*")) else {
                return .wrong("'\(text)' has a star inside; one may stand at one end")
            }
            return .value(AuthorizationValuePlan(pattern: text))
        case .path: return path(text)
        case .sourcePrincipal: return principal(text)
        case .header, .serverName, .host, .method:
            return .value(AuthorizationValuePlan(pattern: text))
        }
    }

    /// `name` of the policy's own namespace, or `namespace/name`.
    private static func account(_ text: String, _ namespace: String) -> AuthorizationValue {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, !text.contains("*"), parts.allSatisfy({ !$0.isEmpty }) else {
            return .wrong("'\(text)' is no service account; 'name' and 'namespace/name' are")
        }
        let full = parts.count == 2 ? text : "\(namespace)/\(text)"
        return .value(AuthorizationValuePlan(.exact, full))
    }

    /// `TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, or a pattern of it. Istio puts the scheme before what is written, so with a
    /// scheme of its own it would fit nobody: a DENY rule would let everybody in.
    private static func principal(_ text: String) -> AuthorizationValue {
        let scheme = "spiffe://"
        guard text.lowercased().hasPrefix(scheme) else { return .value(AuthorizationValuePlan(pattern: text)) }
        let rest = text.dropFirst(scheme.utf8.count)
        return .wrong(
            "'\(text)' would fit nobody, since principals are written without '\(scheme)'; "
                + "write '\(rest.isEmpty ? "*" : rest)'")
    }

    /// A path may have `{*}` and `{**}` as whole segments, the latter behind all others.
    private static func path(_ text: String) -> AuthorizationValue {
        let isTemplate = text.contains("{*}") || text.contains("{**}")
        var hasMany = false
        var body = Substring(text)
        while body.hasPrefix("/") { body.removeFirst() }
        while body.hasSuffix("/") { body.removeLast() }
        for segment in body.split(separator: "/", omittingEmptySubsequences: false) {
            if segment == "{*}" || segment == "{**}" {
                if hasMany { return .wrong("'\(text)' has more behind {**}, which must be the last of its kind") }
                hasMany = segment == "{**}"
                continue
            }
            if segment.contains("{") || segment.contains("}") {
                return .wrong("'\(text)' has a brace beyond {*} and {**}, which are whole segments")
            }
            guard isTemplate else { continue }
            let octets = String(segment)
            guard !octets.contains("*"), octets.withView({ TextFormat.isURLPath($0) }) else {
                return .wrong("'\(text)' has the segment '\(octets)' beside {*} and {**}, which is no plain text")
            }
        }
        return .value(isTemplate ? AuthorizationValuePlan(.template, text) : AuthorizationValuePlan(pattern: text))
    }
}
