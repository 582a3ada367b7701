import Config
import Core

/// Reads one AuthorizationPolicy. A part that cannot be followed is told, and the policy is stricter for it: an ALLOW rule
/// with such a part allows nothing, a DENY rule denies as if the part were not there.
struct AuthorizationReading {
    private let resource: LoadedResource
    private let action: AuthorizationPolicyPlan.Action
    private var findings: FindingLog
    /// The rule at hand has a part that cannot be followed.
    private var isBroken = false
    /// What was told, as a status has it.
    private(set) var problems: [String] = []

    /// A policy, and what is wrong with it.
    struct Result {
        var plan: AuthorizationPolicyPlan
        var problems: [String] = []
    }

    static func read(_ resource: LoadedResource, findings: inout FindingLog) -> Result {
        let spec = resource.node[.spec]
        let written = spec[Key.action].string ?? "ALLOW"
        let action: AuthorizationPolicyPlan.Action =
            switch written {
            case "ALLOW": .allow
            case "AUDIT": .audit
            default: .deny
            }
        var reading = AuthorizationReading(resource, action, findings)
        if written == "CUSTOM" {
            reading.tell(
                spec[Key.action],
                "CUSTOM is not supported by Sluice, which asks no external provider; what the rules match is denied")
        } else if spec[Key.provider].exists {
            reading.findings.warning(resource, spec[Key.provider], "provider has no meaning beside \(written)")
        }
        let plan = reading.policy(spec)
        findings = reading.findings
        return Result(plan: plan, problems: reading.problems)
    }

    private init(_ resource: LoadedResource, _ action: AuthorizationPolicyPlan.Action, _ findings: FindingLog) {
        self.resource = resource
        self.action = action
        self.findings = findings
    }

    private mutating func policy(_ spec: WrittenNode) -> AuthorizationPolicyPlan {
        var plan = AuthorizationPolicyPlan(name: "\(resource.name)", action: action)
        plan.position = resource.node[.kind].position(in: resource.file)
        plan.isDryRun = isDryRun()
        for node in spec[.rules].items {
            isBroken = false
            var rule = self.rule(node)
            rule.position = node.position(in: resource.file)
            rule.neverHolds = isBroken && action == .allow
            plan.rules.append(rule)
        }
        if plan.rules.isEmpty, action != .allow {
            let verb = action == .deny ? (others: "denies", all: "deny") : (others: "audits", all: "audit")
            tell(
                spec[.rules].exists ? spec[.rules] : resource.node[.kind],
                "a policy without rules \(verb.others) nothing; write an empty rule {} to \(verb.all) every call")
        }
        return plan
    }

    /// As Go reads truth, which Istio is written in.
    private mutating func isDryRun() -> Bool {
        guard let annotation = AnnotationText("istio.io/dry-run", of: resource) else { return false }
        switch annotation.text {
        case "1", "t", "T", "true", "TRUE", "True":
            guard action == .audit else { return true }
            findings.warning(resource, annotation.node, "AUDIT decides nothing, so there is nothing to rehearse")
            return false
        case "0", "f", "F", "false", "FALSE", "False": return false
        default:
            tell(annotation.node, "'\(annotation.text)' is neither true nor false; the policy is obeyed")
            return false
        }
    }

    private mutating func tell(_ node: WrittenNode, _ message: String) {
        findings.unresolved(resource, node, message)
        problems.append("\(node.path): \(message)")
    }

    private mutating func refuse(_ node: WrittenNode, _ message: String) {
        isBroken = true
        let effect =
            switch action {
            case .allow: "the rule allows nothing"
            case .deny: "the rule denies as if this were not there"
            case .audit: "the rule audits as if this were not there"
            }
        tell(node, "\(message); \(effect)")
    }

    // MARK: rules

    private mutating func rule(_ node: WrittenNode) -> AuthorizationRulePlan {
        var rule = AuthorizationRulePlan()
        if node[.from].exists, node[.from].items.isEmpty { refuse(node[.from], "from must not be empty") }
        for item in node[.from].items { rule.sources.append(source(item)) }
        if node[.to].exists, node[.to].items.isEmpty { refuse(node[.to], "to must not be empty") }
        for item in node[.to].items { rule.operations.append(operation(item)) }
        for item in node[Key.when].items { condition(item, &rule.conditions) }
        if action == .deny { warnOfConnections(rule, node) }
        return rule
    }

    /// One of `from`.
    private mutating func source(_ node: WrittenNode) -> [AuthorizationPredicatePlan] {
        let source = node[Key.source]
        var found: [AuthorizationPredicatePlan] = []
        add(.sourceAddress, source, Key.ipBlocks, Key.notIpBlocks, &found)
        add(.clientAddress, source, Key.remoteIpBlocks, Key.notRemoteIpBlocks, &found)
        add(.sourceNamespace, source, .namespaces, Key.notNamespaces, &found)
        add(.sourceTrustDomain, source, Key.trustDomains, Key.notTrustDomains, &found)
        add(.sourceServiceAccount, source, Key.serviceAccounts, Key.notServiceAccounts, &found)
        add(.sourcePrincipal, source, Key.principals, Key.notPrincipals, &found)
        for key in [Key.requestPrincipals, Key.notRequestPrincipals] where !source[key].items.isEmpty {
            refuse(source[key], "JSON web tokens are not read by Sluice")
        }
        if found.isEmpty, !isBroken {
            refuse(source.exists ? source : node, "source must not be empty: it says who may call, or who may not")
        }
        return found
    }

    /// One of `to`.
    private mutating func operation(_ node: WrittenNode) -> [AuthorizationPredicatePlan] {
        let operation = node[Key.operation]
        var found: [AuthorizationPredicatePlan] = []
        add(.destinationPort, operation, .ports, Key.notPorts, &found)
        add(.path, operation, Key.paths, Key.notPaths, &found)
        add(.method, operation, Key.methods, Key.notMethods, &found)
        add(.host, operation, Key.hosts, Key.notHosts, &found)
        if found.isEmpty, !isBroken {
            refuse(operation.exists ? operation : node, "operation must not be empty: it says what is called")
        }
        return found
    }

    /// One of `when`.
    private mutating func condition(_ node: WrittenNode, _ found: inout [AuthorizationPredicatePlan]) {
        let key = node[.key].string ?? ""
        if node[.values].items.isEmpty, node[Key.notValues].items.isEmpty {
            return refuse(node, "values or notValues must be written for the key '\(key)'")
        }
        switch Self.attribute(key) {
        case .known(let attribute, let name):
            add(attribute, node, .values, Key.notValues, name: name, &found)
        case .wrong(let message): refuse(node[.key], message)
        }
    }

    private enum ConditionKey {
        case known(AuthorizationPredicatePlan.Attribute, name: String)
        case wrong(String)
    }

    private static func attribute(_ key: String) -> ConditionKey {
        switch key {
        case "source.ip": return .known(.sourceAddress, name: "")
        case "remote.ip": return .known(.clientAddress, name: "")
        case "source.namespace": return .known(.sourceNamespace, name: "")
        case "source.principal": return .known(.sourcePrincipal, name: "")
        case "source.serviceAccount": return .known(.sourceServiceAccount, name: "")
        case "source.trustDomain": return .known(.sourceTrustDomain, name: "")
        case "destination.ip": return .known(.destinationAddress, name: "")
        case "destination.port": return .known(.destinationPort, name: "")
        case "connection.sni": return .known(.serverName, name: "")
        case _ where key.hasPrefix("request.headers"):
            guard key.hasPrefix("request.headers["), key.hasSuffix("]") else {
                return .wrong("'\(key)' names no field; request.headers[NAME] does")
            }
            let name = String(key.dropFirst("request.headers[".count).dropLast()).lowercased()
            if name == ":authority" || name == "host" { return .known(.host, name: "") }
            if name == ":method" { return .known(.method, name: "") }
            guard name.withView({ TextFormat.headerName.matches($0) }) else {
                return .wrong("'\(name)' is not \(TextFormat.headerName.description)")
            }
            return .known(.header, name: name)
        case _ where key.hasPrefix("request.auth."):
            return .wrong("JSON web tokens are not read by Sluice, so '\(key)' is unknown")
        case _ where key.hasPrefix("experimental."):
            return .wrong("'\(key)' asks for metadata of Envoy's filters, which Sluice has not")
        default:
            return .wrong("'\(key)' is no attribute of a call; docs/group/authorization.md lists those")
        }
    }

    /// Adds what a field and its negation say of an attribute.
    private mutating func add(
        _ attribute: AuthorizationPredicatePlan.Attribute, _ node: WrittenNode, _ key: FieldKey, _ notKey: FieldKey,
        name: String = "", _ found: inout [AuthorizationPredicatePlan]
    ) {
        for (field, isNegated) in [(node[key], false), (node[notKey], true)] {
            var values: [AuthorizationValuePlan] = []
            var isRight = true
            for item in field.items {
                switch value(item, attribute) {
                case .value(let value): values.append(value)
                case .wrong(let message):
                    refuse(item, message)
                    isRight = false
                }
            }
            if isRight, !values.isEmpty {
                found.append(AuthorizationPredicatePlan(attribute, name: name, isNegated: isNegated, values))
            }
        }
    }

    // MARK: values

    private enum Reading {
        case value(AuthorizationValuePlan)
        case wrong(String)
    }

    private func value(_ node: WrittenNode, _ attribute: AuthorizationPredicatePlan.Attribute) -> Reading {
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
        case .sourceServiceAccount: return account(text)
        case .sourceTrustDomain:
            if text.contains("/") { return .wrong("'\(text)' is no trust domain; it has no slash") }
            let stars = text.filter { $0 == "*" }.count
            guard stars == 0 || stars == 1 && (text.hasPrefix("*") || text.hasSuffix("*")) else {
                return .wrong("'\(text)' has a star inside; one may stand at one end")
            }
            return .value(AuthorizationValuePlan(pattern: text))
        case .path: return path(text)
        case .sourcePrincipal, .header, .serverName, .host, .method:
            return .value(AuthorizationValuePlan(pattern: text))
        }
    }

    /// `name` of the policy's own namespace, or `namespace/name`.
    private func account(_ text: String) -> Reading {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, !text.contains("*"), parts.allSatisfy({ !$0.isEmpty }) else {
            return .wrong("'\(text)' is no service account; 'name' and 'namespace/name' are")
        }
        let full = parts.count == 2 ? text : "\(resource.name.namespace)/\(text)"
        return .value(AuthorizationValuePlan(.exact, full))
    }

    /// A path may have `{*}` and `{**}` as whole segments, the latter behind all others.
    private func path(_ text: String) -> Reading {
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

    /// On connections without requests what asks for requests is passed over, so the rest denies alone.
    private mutating func warnOfConnections(_ rule: AuthorizationRulePlan, _ node: WrittenNode) {
        let predicates = rule.predicates
        guard !predicates.isEmpty, predicates.allSatisfy({ $0.attribute.isOfHTTP }) else { return }
        findings.warning(
            resource, node,
            "the rule asks for parts of requests alone, so it denies every connection to ports that are not HTTP; "
                + "write the ports that are meant")
    }
}

extension WrittenNode.Items {
    /// There is none.
    fileprivate var isEmpty: Bool {
        var copy = self
        return copy.next() == nil
    }
}

private enum Key {
    static let action = FieldKey("action")
    static let provider = FieldKey("provider")
    static let when = FieldKey("when")
    static let source = FieldKey("source")
    static let operation = FieldKey("operation")
    static let ipBlocks = FieldKey("ipBlocks")
    static let notIpBlocks = FieldKey("notIpBlocks")
    static let remoteIpBlocks = FieldKey("remoteIpBlocks")
    static let notRemoteIpBlocks = FieldKey("notRemoteIpBlocks")
    static let notNamespaces = FieldKey("notNamespaces")
    static let trustDomains = FieldKey("trustDomains")
    static let notTrustDomains = FieldKey("notTrustDomains")
    static let serviceAccounts = FieldKey("serviceAccounts")
    static let notServiceAccounts = FieldKey("notServiceAccounts")
    static let principals = FieldKey("principals")
    static let notPrincipals = FieldKey("notPrincipals")
    static let requestPrincipals = FieldKey("requestPrincipals")
    static let notRequestPrincipals = FieldKey("notRequestPrincipals")
    static let notPorts = FieldKey("notPorts")
    static let paths = FieldKey("paths")
    static let notPaths = FieldKey("notPaths")
    static let methods = FieldKey("methods")
    static let notMethods = FieldKey("notMethods")
    static let hosts = FieldKey("hosts")
    static let notHosts = FieldKey("notHosts")
    static let notValues = FieldKey("notValues")
}
