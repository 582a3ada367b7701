import Config
import Core
import HTTP

/// What one policy says of a call, apart from all others.
public struct AuthorizationFinding {
    /// Why a rule does not hold: the first part of it that does not.
    public enum Obstacle {
        /// It has a part that cannot be followed, and allows nothing for that.
        case unreadable
        /// It asks for parts of requests, and allows no connection for that.
        case ofRequests
        case predicate(UnsafePointer<AuthorizationPredicateConfig>)
    }

    /// Index into ``SnapshotHeader/authorizationPolicies``.
    public let policy: UInt32
    /// The first of its rules that holds; ``AuthorizationVerdict/none``: none does.
    public let rule: UInt32
    /// One for each rule where none holds.
    public let obstacles: [Obstacle]

    public var holds: Bool { rule != AuthorizationVerdict.none }
}

/// What lies behind a verdict.
extension RouteTable {
    /// Tells of each AUDIT policy that has a rule which holds for a call, and of that rule. Allocates nothing.
    public func audit(
        _ config: UnsafePointer<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView, _ found: (_ policy: UInt32, _ rule: UInt32) -> Void
    ) {
        let asked = AskedCall(call: call, bytes: bytes, trustsAddresses: config.pointee.trustsAddresses)
        let numbers = snapshot.records(config.pointee.policies)
        for i in 0..<Int(config.pointee.policies.count) {
            let policy = snapshot[header.pointee.authorizationPolicies, Int(numbers[i])]
            guard policy.pointee.action == .audit, let rule = firstRule(of: policy, asked, head) else { continue }
            found(numbers[i], rule)
        }
    }

    /// Asks each policy by itself, in order, by the code that ``authorize(_:_:_:_:)`` decides by. Allocates: for the control
    /// side.
    public func examine(
        _ config: UnsafePointer<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView
    ) -> [AuthorizationFinding] {
        let asked = AskedCall(call: call, bytes: bytes, trustsAddresses: config.pointee.trustsAddresses)
        var findings: [AuthorizationFinding] = []
        for i in 0..<Int(config.pointee.policies.count) {
            let number = snapshot[config.pointee.policies, i].pointee
            let policy = snapshot[header.pointee.authorizationPolicies, Int(number)]
            let rule = firstRule(of: policy, asked, head)
            var obstacles: [AuthorizationFinding.Obstacle] = []
            for index in 0..<Int(policy.pointee.rules.count) where rule == nil {
                let isAllow = policy.pointee.action == .allow
                obstacles.append(obstacle(of: snapshot[policy.pointee.rules, index], asked, head, isAllow: isAllow))
            }
            findings.append(
                AuthorizationFinding(policy: number, rule: rule ?? AuthorizationVerdict.none, obstacles: obstacles))
        }
        return findings
    }

    /// Of a rule that does not hold. Of several sources or operations the last is told: the others fail, too.
    private func obstacle(
        of rule: UnsafePointer<AuthorizationRuleConfig>, _ asked: AskedCall, _ head: borrowing RequestHead,
        isAllow: Bool
    ) -> AuthorizationFinding.Obstacle {
        if isAllow, rule.pointee.neverHolds { return .unreadable }
        if isAllow, rule.pointee.needsHTTP, !asked.call.isHTTP { return .ofRequests }
        for terms in [rule.pointee.sources, rule.pointee.operations] {
            guard !someHold(terms, asked, head, isAllow: isAllow) else { continue }
            let last = snapshot[terms, Int(terms.count) - 1].pointee.predicates
            if let found = failing(last, asked, head, isAllow: isAllow) { return .predicate(found) }
        }
        guard let found = failing(rule.pointee.conditions, asked, head, isAllow: isAllow) else {
            preconditionFailure("a rule of which all holds, and which does not hold")
        }
        return .predicate(found)
    }

    private func failing(
        _ predicates: Table<AuthorizationPredicateConfig>, _ asked: AskedCall, _ head: borrowing RequestHead,
        isAllow: Bool
    ) -> UnsafePointer<AuthorizationPredicateConfig>? {
        for i in 0..<Int(predicates.count) where !holds(snapshot[predicates, i], asked, head, isAllow: isAllow) {
            return snapshot[predicates, i]
        }
        return nil
    }
}

/// Verdicts in words: those of the access log, and of `explain`.
extension RouteTable {
    /// Appends `denied by AuthorizationPolicy NAMESPACE/NAME (FILE:LINE)`, or what else it is.
    public func describe(
        _ verdict: AuthorizationVerdict, _ config: UnsafePointer<AuthorizationConfig>, to words: inout ByteBuffer
    ) {
        if verdict.cause == .unverified {
            words.append("refused: the caller showed no certificate, which PeerAuthentication ")
            words.append(snapshot.text(config.pointee.strictPolicy))
            describe(config.pointee.strictPosition, to: &words)
            return words.append(" asks for")
        }
        guard verdict.policy != AuthorizationVerdict.none else { return words.append("allowed: no policy denies it") }
        switch verdict.cause {
        case .allowed: words.append("allowed by")
        case .rule: words.append("denied by")
        case .noRule, .unverified: words.append("denied: no rule holds of")
        }
        words.append(" AuthorizationPolicy ")
        describe(verdict.policy, verdict.rule, to: &words)
        guard verdict.cause == .noRule else { return }
        var others = 0
        for index in 0..<Int(config.pointee.policies.count) {
            let number = snapshot[config.pointee.policies, index].pointee
            let other = snapshot[header.pointee.authorizationPolicies, Int(number)]
            if other.pointee.action == .allow, !other.pointee.isDryRun, number != verdict.policy { others += 1 }
        }
        guard others > 0 else { return }
        words.append(", nor of ")
        words.append(decimal: UInt64(others))
        words.append(" more that allow")
    }

    /// Appends `NAMESPACE/NAME (FILE:LINE)`: of the rule, or of the policy where it is ``AuthorizationVerdict/none``.
    public func describe(_ policy: UInt32, _ rule: UInt32, to words: inout ByteBuffer) {
        let record = snapshot[header.pointee.authorizationPolicies, Int(policy)]
        words.append(snapshot.text(record.pointee.name))
        let position =
            rule == AuthorizationVerdict.none
            ? record.pointee.position : snapshot[record.pointee.rules, Int(rule)].pointee.position
        describe(position, to: &words)
    }

    /// ` (FILE:LINE)`, where it is known.
    private func describe(_ position: SourcePosition, to words: inout ByteBuffer) {
        let files = header.pointee.files
        guard position.line > 0, position.file < files.count else { return }
        words.append(" (")
        words.append(snapshot.text(snapshot[files, Int(position.file)].pointee))
        words.append(byte: ASCII.colon)
        words.append(decimal: UInt64(position.line))
        words.append(")")
    }
}
