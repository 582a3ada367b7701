import Config
import Core
import HTTP

/// Istio's AuthorizationPolicy (security.istio.io/v1): DENY before ALLOW; where there are ALLOW policies, one of them must
/// match. What cannot be asked of a call makes an ALLOW rule fail and is passed over in a DENY rule, as Istio has it for
/// connections without requests: in doubt a call is denied. Costs grow with the values that are written for the place that
/// is called; nothing is allocated.
extension RouteTable {
    /// What the policies that are obeyed say of a call.
    /// - Parameters:
    ///   - head: of a request; any other where `call` is none.
    ///   - bytes: what its offsets count from.
    public func authorize(
        _ config: UnsafePointer<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView
    ) -> AuthorizationVerdict {
        if config.pointee.isStrict, !call.isVerified { return AuthorizationVerdict(.unverified) }
        return decide(config, call, head, bytes, isDryRun: false)
    }

    /// What all policies would say, those of a dry run among them; asked of calls that ``authorize(_:_:_:_:)`` let pass.
    public func rehearse(
        _ config: UnsafePointer<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView
    ) -> AuthorizationVerdict {
        decide(config, call, head, bytes, isDryRun: true)
    }

    private func decide(
        _ config: UnsafePointer<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView, isDryRun: Bool
    ) -> AuthorizationVerdict {
        let asked = AskedCall(call: call, bytes: bytes, trustsAddresses: config.pointee.trustsAddresses)
        let numbers = snapshot.records(config.pointee.policies)
        let policies = snapshot.records(header.pointee.authorizationPolicies)
        let count = Int(config.pointee.policies.count)
        for i in 0..<count {
            let policy = policies + Int(numbers[i])
            guard policy.pointee.action == .deny, isDryRun || !policy.pointee.isDryRun,
                let rule = firstRule(of: policy, asked, head)
            else { continue }
            return AuthorizationVerdict(.rule, policy: numbers[i], rule: rule)
        }
        guard config.pointee.hasAllow || isDryRun && config.pointee.hasDryRunAllow else {
            return AuthorizationVerdict(.allowed)
        }
        var first = AuthorizationVerdict.none
        for i in 0..<count {
            let policy = policies + Int(numbers[i])
            guard policy.pointee.action == .allow, isDryRun || !policy.pointee.isDryRun else { continue }
            if let rule = firstRule(of: policy, asked, head) {
                return AuthorizationVerdict(.allowed, policy: numbers[i], rule: rule)
            }
            // In a rehearsal that policy is named which would make the difference.
            if first == AuthorizationVerdict.none || isDryRun && policy.pointee.isDryRun { first = numbers[i] }
        }
        return AuthorizationVerdict(.noRule, policy: first)
    }

    /// The first rule that holds.
    func firstRule(
        of policy: UnsafePointer<AuthorizationPolicyConfig>, _ asked: AskedCall, _ head: borrowing RequestHead
    ) -> UInt32? {
        let isAllow = policy.pointee.action == .allow
        let rules = snapshot.records(policy.pointee.rules)
        for i in 0..<Int(policy.pointee.rules.count) {
            let rule = rules + i
            if isAllow, rule.pointee.neverHolds || rule.pointee.needsHTTP && !asked.call.isHTTP { continue }
            if someHold(rule.pointee.sources, asked, head, isAllow: isAllow),
                someHold(rule.pointee.operations, asked, head, isAllow: isAllow),
                allHold(rule.pointee.conditions, asked, head, isAllow: isAllow)
            {
                return UInt32(i)
            }
        }
        return nil
    }

    func someHold(
        _ terms: Table<AuthorizationTermConfig>, _ asked: AskedCall, _ head: borrowing RequestHead, isAllow: Bool
    ) -> Bool {
        if terms.isEmpty { return true }
        let records = snapshot.records(terms)
        for i in 0..<Int(terms.count) where allHold(records[i].predicates, asked, head, isAllow: isAllow) {
            return true
        }
        return false
    }

    func allHold(
        _ predicates: Table<AuthorizationPredicateConfig>, _ asked: AskedCall, _ head: borrowing RequestHead,
        isAllow: Bool
    ) -> Bool {
        let records = snapshot.records(predicates)
        for i in 0..<Int(predicates.count) where !holds(records + i, asked, head, isAllow: isAllow) { return false }
        return true
    }

    func holds(
        _ predicate: UnsafePointer<AuthorizationPredicateConfig>, _ asked: AskedCall, _ head: borrowing RequestHead,
        isAllow: Bool
    ) -> Bool {
        let attribute = predicate.pointee.attribute
        if attribute.isOfHTTP, !asked.call.isHTTP { return !isAllow }
        if attribute == .destinationAddress, asked.call.destination == nil { return !isAllow }
        if attribute.isIdentity, !asked.isKnown(attribute) {
            // Nobody has shown who calls. Nothing is allowed for that; what is denied to others than some is denied, and
            // what is denied to some is denied to those who seem to be among them.
            if isAllow { return false }
            return predicate.pointee.isNegated || isAmong(predicate, asked, head)
        }
        return isAmong(predicate, asked, head) != predicate.pointee.isNegated
    }

    private func isAmong(
        _ predicate: UnsafePointer<AuthorizationPredicateConfig>, _ asked: AskedCall, _ head: borrowing RequestHead
    ) -> Bool {
        let call = asked.call
        let values = predicate.pointee.values
        switch predicate.pointee.attribute {
        case .sourceAddress: return has(values, call.source)
        case .clientAddress: return has(values, call.client)
        case .destinationAddress: return call.destination.map { has(values, $0) } ?? false
        case .destinationPort:
            let records = snapshot.records(values)
            for i in 0..<Int(values.count) where records[i].port == call.port { return true }
            return false
        case .sourceNamespace: return has(values, call.namespace)
        case .sourcePrincipal: return has(values, call.identity)
        case .sourceTrustDomain: return has(values, call.trustDomain)
        case .sourceServiceAccount: return hasAccount(values, call.namespace, call.account)
        case .serverName: return has(values, call.serverName, ignoresCase: true)
        case .method: return has(values, call.method)
        case .path: return has(values, call.path)
        case .host:
            return has(values, call.host, ignoresCase: true) || has(values, call.authority, ignoresCase: true)
        case .header:
            let name = snapshot.text(predicate.pointee.name)
            guard let value = fieldValue(predicate.pointee.fieldName, name, head, asked.bytes) else { return false }
            return has(values, value, mayBeEmpty: true)
        }
    }

    // MARK: values

    private func has(_ values: Table<AuthorizationValueConfig>, _ address: IPAddress) -> Bool {
        let records = snapshot.records(values)
        for i in 0..<Int(values.count) where records[i].range.contains(address) { return true }
        return false
    }

    private func hasAccount(
        _ values: Table<AuthorizationValueConfig>, _ namespace: ByteView, _ account: ByteView
    ) -> Bool {
        guard !namespace.isEmpty, !account.isEmpty else { return false }
        let records = snapshot.records(values)
        for i in 0..<Int(values.count) {
            let text = snapshot.text(records[i].text)
            guard text.count == namespace.count + 1 + account.count, text.hasPrefix(namespace),
                text[namespace.count] == ASCII.slash, text.from(namespace.count + 1).equals(account)
            else { continue }
            return true
        }
        return false
    }

    private func has(
        _ values: Table<AuthorizationValueConfig>, _ value: ByteView, ignoresCase: Bool = false,
        mayBeEmpty: Bool = false
    ) -> Bool {
        if value.isEmpty, !mayBeEmpty { return false }
        let records = snapshot.records(values)
        for i in 0..<Int(values.count)
        where Self.fits(value, records[i].kind, snapshot.text(records[i].text), ignoresCase: ignoresCase) {
            return true
        }
        return false
    }

    /// Whether a value is what a policy writes.
    static func fits(
        _ value: ByteView, _ kind: AuthorizationValuePlan.Kind, _ text: ByteView, ignoresCase: Bool
    ) -> Bool {
        func equal(_ part: ByteView) -> Bool {
            ignoresCase ? part.equalsIgnoringCase(text) : part.equals(text)
        }
        switch kind {
        case .exact: return equal(value)
        case .prefix: return value.count >= text.count && equal(value.upTo(text.count))
        case .suffix: return value.count >= text.count && equal(value.from(value.count - text.count))
        case .any: return true
        case .template: return fitsTemplate(value, text)
        case .glob: return fitsGlob(value, text)
        case .range, .port: return false
        }
    }

    /// `{*}` is one segment that is not empty; `{**}` any octets, of which there is one at most, behind every `{*}`.
    private static func fitsTemplate(_ path: ByteView, _ template: ByteView) -> Bool {
        let one = ByteView("{*}")
        let many = ByteView("{**}")
        var at = 0
        var next = 0
        while next < template.count {
            let rest = template.from(next)
            if rest.hasPrefix(many) {
                return path.count - at >= rest.count - many.count && path.hasSuffix(rest.from(many.count))
            }
            if rest.hasPrefix(one) {
                let end = path.firstIndex(of: ASCII.slash, from: at) ?? path.count
                if end == at { return false }
                at = end
                next += one.count
                continue
            }
            guard at < path.count, path[at] == template[next] else { return false }
            at += 1
            next += 1
        }
        return at == path.count
    }

    /// Stars stand for any octets. Goes back to the last star only, so that it costs no more than both lengths multiplied.
    private static func fitsGlob(_ value: ByteView, _ glob: ByteView) -> Bool {
        var at = 0
        var next = 0
        var star = -1
        var resume = 0
        while at < value.count {
            if next < glob.count, glob[next] == 0x2A {
                star = next
                next += 1
                resume = at
            } else if next < glob.count, glob[next] == value[at] {
                at += 1
                next += 1
            } else if star >= 0 {
                next = star + 1
                resume += 1
                at = resume
            } else {
                return false
            }
        }
        while next < glob.count, glob[next] == 0x2A { next += 1 }
        return next == glob.count
    }
}

/// A call while it is asked about.
struct AskedCall {
    let call: AuthorizedCall
    let bytes: ByteView
    let trustsAddresses: Bool

    /// Whether an attribute of the caller counts as shown.
    func isKnown(_ attribute: AuthorizationPredicatePlan.Attribute) -> Bool {
        call.isVerified || attribute == .sourceNamespace && trustsAddresses && !call.namespace.isEmpty
    }
}
