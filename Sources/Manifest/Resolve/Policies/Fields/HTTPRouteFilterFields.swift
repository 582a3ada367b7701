import Config
import Core
import Routing

/// What one HTTPRouteFilter means to the rule that names it.
struct HTTPRouteFilterPlan {
    /// The secret's key that holds the value (`credentialInjection.credential.valueRef`).
    static let credentialKey = "credential"

    /// Why a rule cannot have the filter.
    struct Refusal: Error {
        var message: String
        /// There is no such filter, so the reference is not resolved; else it is there and cannot be used.
        var isMissing = false
    }

    /// Each entry a set of cookies that must all match; one entry must hold. Empty: nothing is asked.
    var cookieMatches: [[ValueMatchPlan]] = []
    var directResponse: CustomResponsePlan?
    var rewrite: RewritePlan?
    var credentialInjection: CredentialInjectionPlan?
    /// What cannot be done as it is written; empty: nothing.
    var problems: [PolicyReading.Problem] = []

    /// A backend is chosen when the match, the path and the answer's source are settled already; nil: nothing of that kind.
    var onlyForRules: String? {
        if !cookieMatches.isEmpty { return "matches" }
        if directResponse != nil { return "directResponse" }
        return rewrite?.path == nil ? nil : "urlRewrite.path"
    }

    /// - Parameter number: the filter's among the resources of `index`.
    init(_ number: Int, _ index: ResourceIndex, _ grants: GrantTable) {
        let spec = PolicyNode(index.resources[number].node[.spec], policy: number)
        var reading = PolicyReading(index: index)
        reading.refuseUnsupported(spec)
        for match in spec[.matches].items { cookieMatches.append(Self.cookies(match[.cookies], &reading)) }
        if spec[.directResponse].exists {
            var response = CustomResponsePlan(spec[.directResponse], &reading)
            response.statusCode = response.statusCode ?? 200
            directResponse = response
        }
        if spec[.urlRewrite].exists { rewrite = RewritePlan(filter: spec[.urlRewrite], &reading) }
        if spec[.credentialInjection].exists {
            credentialInjection = Self.credential(spec[.credentialInjection], grants, &reading)
        }
        problems = reading.problems
    }

    private static func cookies(_ list: PolicyNode, _ reading: inout PolicyReading) -> [ValueMatchPlan] {
        var cookies: [ValueMatchPlan] = []
        for item in list.items {
            let isPattern = item[.type].string == "RegularExpression"
            let value = item[.value].string ?? ""
            if isPattern, let problem = RegularExpressions.problem(value) {
                reading.refuse(item[.value], "'\(value)' is no regular expression: \(problem)")
            }
            cookies.append(
                ValueMatchPlan(
                    name: item[.name].string ?? "", kind: isPattern ? .regularExpression : .exact, value: value))
        }
        return cookies
    }

    private static func credential(
        _ node: PolicyNode, _ grants: GrantTable, _ reading: inout PolicyReading
    ) -> CredentialInjectionPlan? {
        let place = node[.credential][.valueRef]
        let home = reading.resource(place).name.namespace
        let reference = ObjectReference(place.nearest, defaultKind: "Secret")
        let name = reference.target(from: home)
        guard reference.isSecret else {
            reading.refuse(place, "a credential is in a Secret; '\(reference.kind)' is none")
            return nil
        }
        guard grants.permits(kind: "HTTPRouteFilter", in: home, to: reference) else {
            reading.refuse(
                place, "a ReferenceGrant in '\(name.namespace)' is needed to refer to the Secret '\(name)'",
                reason: .refNotPermitted)
            return nil
        }
        guard let number = reading.index[.secret, name] else {
            reading.refuse(place, "there is no Secret '\(name)'")
            return nil
        }
        let secret = SecretData(node: reading.index.resources[number].node, files: FollowedFiles { _ in nil })
        let value: String
        switch secret.value(credentialKey) {
        case nil:
            reading.refuse(place, "the Secret '\(name)' has no key '\(credentialKey)'")
            return nil
        case .failure(let problem):
            reading.refuse(place, "of the Secret '\(name)' \(problem.message)")
            return nil
        case .success(let octets):
            // A line end behind the value is an editor's.
            var end = octets.count
            while end > 0, octets[end - 1] == ASCII.lf || octets[end - 1] == ASCII.cr { end -= 1 }
            value = String(decoding: octets[..<end], as: UTF8.self)
        }
        guard !value.isEmpty, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == ASCII.tab }) else {
            // The value itself is not told.
            reading.refuse(place, "'\(credentialKey)' of the Secret '\(name)' is empty, or cannot stand in a field")
            return nil
        }
        let header = node[.header].string ?? ""
        let plan = CredentialInjectionPlan(
            header: header.isEmpty ? CredentialInjectionPlan.defaultHeader : header, value: value,
            overwrite: node[.overwrite].boolean ?? false)
        guard HeaderEditPlan(.set, name: plan.header).refusal == nil, isToken(plan.header) else {
            reading.refuse(
                node[.header], "'\(plan.header)' cannot carry a credential; name a field such as Authorization")
            return nil
        }
        return plan
    }

    /// RFC 9110, section 5.6.2.
    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                ASCII.isAlpha($0) || ASCII.isDigit($0) || Array("!#$%&'*+-.^_`|~".utf8).contains($0)
            }
    }
}

extension RewritePlan {
    /// HTTPRouteFilter `urlRewrite`.
    fileprivate init(filter node: PolicyNode, _ reading: inout PolicyReading) {
        self.init(hostname: nil, path: nil)
        appendXForwardedHost = node[.appendXForwardedHost].boolean ?? true
        let hostname = node[.hostname]
        switch hostname[.type].string {
        case "Header": hostSource = .header((hostname[.header].string ?? "").lowercased())
        case "Backend": hostSource = .backend
        case "PathRegex":
            if let (pattern, substitution) = Self.replacement(hostname[.pathRegex], &reading) {
                hostSource = .pathRegex(pattern: pattern, substitution: substitution)
            }
        default: break
        }
        guard node[.path].exists else { return }
        if let (pattern, substitution) = Self.replacement(node[.path][.replaceRegexMatch], &reading) {
            path = .replaceRegexMatch(pattern: pattern, substitution: substitution)
        }
    }

    private static func replacement(
        _ node: PolicyNode, _ reading: inout PolicyReading
    ) -> (pattern: String, substitution: String)? {
        let pattern = node[.pattern].string ?? ""
        let substitution = node[.substitution].string ?? ""
        let groups: Int
        do throws(PatternError) {
            groups = try PCRE2Pattern(pattern, .anywhere).groupCount
        } catch {
            reading.refuse(node[.pattern], "'\(pattern)' is no regular expression: \(error.description)")
            return nil
        }
        if let problem = substitution.withView({ RegexSubstitution.problem($0, groups: groups) }) {
            reading.refuse(node[.substitution], "'\(substitution)': \(problem)")
            return nil
        }
        return (pattern, substitution)
    }
}
