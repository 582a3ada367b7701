import Config
import Core
import HTTP
import Routing

/// Who may call, as the policies decide it for the caller that is given.
extension Explainer {
    /// Asks the policies of a place about a request. False: it is refused, and the explanation says why.
    func permits(
        _ authorization: Table<AuthorizationConfig>, port: UInt16, on listener: UnsafePointer<ListenerConfig>,
        destination: SocketAddress? = nil, _ request: ExplainedRequest, _ parsed: ParsedRequest,
        _ explanation: inout Explanation
    ) -> Bool {
        noteCertificate(on: listener, &explanation)
        guard !authorization.isEmpty else { return true }
        let serverName = request.isSecure ? request.host : ""
        let (policies, access) = serverName.withView { serverName in
            withCaller { known in
                var call = known
                call.client = client(of: parsed, on: listener) ?? known.source
                call.destination = destination?.ip
                call.port = port
                call.serverName = serverName
                call.isHTTP = true
                call.method = parsed.head.methodRange.of(parsed.bytes)
                call.host = parsed.host
                call.authority = parsed.head.authority.of(parsed.bytes)
                call.path = parsed.path
                return decide(authorization, call, parsed.head, parsed.bytes)
            }
        }
        return settle(policies, access, missing(authorization, request, serverName, listener, parsed), &explanation)
    }

    /// The same about a connection that is not looked into.
    func permits(
        _ authorization: Table<AuthorizationConfig>, port: UInt16, on listener: UnsafePointer<ListenerConfig>,
        destination: IPAddress?, serverName: String, _ explanation: inout Explanation
    ) -> Bool {
        noteCertificate(on: listener, &explanation)
        guard !authorization.isEmpty else { return true }
        let (policies, access) = serverName.withView { serverName in
            withCaller { known in
                var call = known
                call.destination = destination
                call.port = port
                call.serverName = serverName
                return decide(authorization, call, RequestHead(), .empty)
            }
        }
        return settle(policies, access, missing(authorization, nil, serverName, listener, nil), &explanation)
    }

    /// Lends what is known of the caller.
    private func withCaller<R>(_ body: (AuthorizedCall) -> R) -> R {
        caller.principal.withView { principal in
            caller.namespace.withView { namespace in
                caller.account.withView { account in
                    var call = AuthorizedCall()
                    call.principal = principal
                    call.namespace = namespace
                    call.account = account
                    call.source = caller.address ?? .any
                    call.client = call.source
                    return body(call)
                }
            }
        }
    }

    private func settle(
        _ policies: [Explanation.Policy], _ access: Explanation.Access, _ missing: [String],
        _ explanation: inout Explanation
    ) -> Bool {
        explanation.caller = caller.words
        explanation.authorization = policies
        explanation.access = access
        explanation.access?.missing = missing
        return access.isAllowed
    }

    // MARK: the decision

    /// By the code that workers decide by, and told in the words of their log.
    private func decide(
        _ authorization: Table<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView
    ) -> (policies: [Explanation.Policy], access: Explanation.Access) {
        let config = snapshot[authorization, 0]
        let verdict = table.authorize(config, call, head, bytes)
        var access = Explanation.Access(
            isAllowed: verdict.isAllowed, words: words(verdict, config), policy: policy(verdict, config))
        if verdict.isAllowed, config.pointee.hasDryRun {
            access.dryRun = "would be " + words(table.rehearse(config, call, head, bytes), config)
        }
        var audits: [String] = []
        if config.pointee.hasAudit {
            table.audit(config, call, head, bytes) { policy, rule in
                var words = ByteBuffer()
                table.describe(policy, rule, to: &words)
                audits.append(words.view.string)
            }
        }
        access.audits = audits
        let findings = table.examine(config, call, head, bytes)
        return (reading.authorization(config, findings, call), access)
    }

    private func words(_ verdict: AuthorizationVerdict, _ config: UnsafePointer<AuthorizationConfig>) -> String {
        var words = ByteBuffer()
        table.describe(verdict, config, to: &words)
        return words.view.string
    }

    private func policy(
        _ verdict: AuthorizationVerdict, _ config: UnsafePointer<AuthorizationConfig>
    ) -> String? {
        if verdict.cause == .unverified { return snapshot.text(config.pointee.strictPolicy).string }
        guard verdict.policy != AuthorizationVerdict.none else { return nil }
        let record = snapshot[snapshot.header.pointee.authorizationPolicies, Int(verdict.policy)].pointee
        return snapshot.text(record.name).string
    }

    // MARK: what is known of the caller

    /// Whose request it is, as the listener detects that; nil: nobody knows.
    private func client(of parsed: ParsedRequest, on listener: UnsafePointer<ListenerConfig>) -> IPAddress? {
        guard !listener.pointee.client.isEmpty else { return caller.address }
        let config = snapshot[listener.pointee.client, 0].pointee.clientIP
        let outcome = ClientAddress.detect(
            config, in: snapshot, peer: caller.address ?? .any, fields: parsed.head.fields, parsed.bytes)
        if case .detected(let address) = outcome { return address }
        return caller.address
    }

    /// A certificate that the listener never sees shows nothing.
    private func noteCertificate(on listener: UnsafePointer<ListenerConfig>, _ explanation: inout Explanation) {
        let tls = listener.pointee.tls
        let asks = !tls.isEmpty && !snapshot[tls, 0].pointee.clientValidation.isEmpty
        guard caller.isVerified, !asks, listener.pointee.listenerProtocol != .hbone else { return }
        explanation.notes.append(
            "listener '\(snapshot.text(listener.pointee.name).string)' sees no certificates: what is decided here holds "
                + "for a caller that comes by HBONE or another listener that asks for them")
    }

    /// What policies of a place ask for and nobody has given, and what follows from that.
    private func missing(
        _ authorization: Table<AuthorizationConfig>, _ request: ExplainedRequest?, _ serverName: String,
        _ listener: UnsafePointer<ListenerConfig>, _ parsed: ParsedRequest?
    ) -> [String] {
        let config = snapshot[authorization, 0].pointee
        var asked: [AuthorizationPredicatePlan] = []
        for i in 0..<Int(config.policies.count) {
            let policy = plan.authorizationPolicies[Int(snapshot[config.policies, i].pointee)]
            for rule in policy.rules where !rule.neverHolds { asked += rule.predicates }
        }
        func asks(_ attribute: AuthorizationPredicatePlan.Attribute) -> Bool {
            asked.contains { $0.attribute == attribute }
        }
        var missing: [String] = []
        if !caller.isGiven, config.isStrict || asked.contains(where: { $0.attribute.isIdentity }) {
            missing.append("who calls (--from): taken for somebody whom neither a certificate nor an address shows")
        }
        if caller.address == nil, asks(.sourceAddress) {
            missing.append("the caller's address (--from ADDRESS): taken for one that is in no range")
        }
        if asks(.clientAddress), caller.address == nil, parsed.flatMap({ client(of: $0, on: listener) }) == nil {
            missing.append("whose request it is (--from ADDRESS): taken for an address that is in no range")
        }
        if asks(.serverName), serverName.isEmpty {
            let how = request == nil ? "--sni" : "an https:// URL"
            missing.append("a server name (\(how)): taken for a call without one")
        }
        var names: Set<String> = []
        for predicate in asked where predicate.attribute == .header {
            guard let request, !request.has(predicate.name), names.insert(predicate.name).inserted else { continue }
            missing.append("the field '\(predicate.name)' (--header): taken for a request without it")
        }
        return missing
    }
}
