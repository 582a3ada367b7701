import Config
import Connection
import Core
import HTTP
import Routing
import TLS
import Upstream

/// Whether a call may be served: Istio's AuthorizationPolicy and PeerAuthentication, asked, counted, and put into words.
extension Worker {
    /// Asks the policies of a place. False: the call is refused, and `words` has why.
    /// - Parameters:
    ///   - head: of a request; any other where the call is none. `bytes`: what its offsets count from.
    ///   - words: gets what a log should say, of dry runs too.
    func permits(
        _ authorization: Table<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView, _ configuration: LiveConfiguration, words: inout ByteBuffer
    ) -> Bool {
        let routes = configuration.routes
        let snapshot = configuration.snapshot
        let config = snapshot[authorization, 0]
        let verdict = routes.authorize(config, call, head, bytes)
        if verdict.cause == .unverified {
            statistics.increment(.unverifiedCallers)
        } else {
            count(verdict, in: snapshot, isDryRun: false)
        }
        if !verdict.isAllowed {
            words.clear()
            write(verdict, config, in: snapshot, to: &words)
            return false
        }
        guard config.pointee.hasDryRun else { return true }
        let rehearsed = routes.rehearse(config, call, head, bytes)
        count(rehearsed, in: snapshot, isDryRun: true)
        if !rehearsed.isAllowed {
            words.clear()
            words.append("dry run: would be ")
            write(rehearsed, config, in: snapshot, to: &words)
        }
        return true
    }

    private func count(_ verdict: AuthorizationVerdict, in snapshot: Snapshot, isDryRun: Bool) {
        guard verdict.policy != AuthorizationVerdict.none else { return }
        let policy = snapshot[snapshot.header.pointee.authorizationPolicies, Int(verdict.policy)]
        if isDryRun, !policy.pointee.isDryRun { return }
        let outcome: AuthorizationCounts.Outcome =
            switch (verdict.isAllowed, isDryRun) {
            case (true, false): .allowed
            case (false, false): .denied
            case (true, true): .dryRunAllowed
            case (false, true): .dryRunDenied
            }
        liveState.authorizations.count(outcome, policy.pointee.identity, now: loop.now)
    }

    // MARK: words

    private func write(
        _ verdict: AuthorizationVerdict, _ config: UnsafePointer<AuthorizationConfig>, in snapshot: Snapshot,
        to words: inout ByteBuffer
    ) {
        if verdict.cause == .unverified {
            words.append("refused: the caller showed no certificate, which PeerAuthentication ")
            words.append(snapshot.text(config.pointee.strictPolicy))
            write(config.pointee.strictPosition, in: snapshot, to: &words)
            return words.append(" asks for")
        }
        guard verdict.policy != AuthorizationVerdict.none else { return }
        let policy = snapshot[snapshot.header.pointee.authorizationPolicies, Int(verdict.policy)]
        words.append(verdict.cause == .rule ? "denied by" : "denied: no rule holds of")
        words.append(" AuthorizationPolicy ")
        words.append(snapshot.text(policy.pointee.name))
        let position =
            verdict.rule == AuthorizationVerdict.none
            ? policy.pointee.position : snapshot[policy.pointee.rules, Int(verdict.rule)].pointee.position
        write(position, in: snapshot, to: &words)
        guard verdict.cause == .noRule else { return }
        var others = 0
        for index in 0..<Int(config.pointee.policies.count) {
            let number = snapshot[config.pointee.policies, index].pointee
            let other = snapshot[snapshot.header.pointee.authorizationPolicies, Int(number)]
            if other.pointee.action == .allow, !other.pointee.isDryRun, number != verdict.policy { others += 1 }
        }
        guard others > 0 else { return }
        words.append(", nor of ")
        words.append(decimal: UInt64(others))
        words.append(" more that allow")
    }

    /// ` (FILE:LINE)`, where it is known.
    private func write(_ position: SourcePosition, in snapshot: Snapshot, to words: inout ByteBuffer) {
        let files = snapshot.header.pointee.files
        guard position.line > 0, position.file < files.count else { return }
        words.append(" (")
        words.append(snapshot.text(snapshot[files, Int(position.file)].pointee))
        words.append(byte: ASCII.colon)
        words.append(decimal: UInt64(position.line))
        words.append(")")
    }

    // MARK: who calls

    /// Lends what is known of the caller of a connection: by a certificate that was verified, or by its address.
    func withCaller<R>(
        _ origin: ConnectionOrigin, _ tls: TLSChannel?, _ configuration: LiveConfiguration,
        _ body: (AuthorizedCall) -> R
    ) -> R {
        var call = AuthorizedCall()
        call.source = origin.peer.ip
        call.client = origin.peer.ip
        if case .address(let address) = origin.destination { call.destination = address.ip }
        if let caller = origin.caller {
            return caller.principal.withView { principal in
                caller.namespace.withView { namespace in
                    caller.name.withView { name in
                        call.principal = principal
                        call.namespace = namespace
                        if caller.isVerified { call.account = name }
                        return body(call)
                    }
                }
            }
        }
        if let certificate = tls?.peerCertificate, certificate.problem == nil, let id = certificate.identity {
            return id.description.withView { principal in
                (id.workload?.namespace ?? "").withView { namespace in
                    (id.workload?.serviceAccount ?? "").withView { account in
                        call.principal = principal
                        call.namespace = namespace
                        call.account = account
                        return body(call)
                    }
                }
            }
        }
        if let workload = configuration.routes.workload(at: origin.peer.ip) {
            call.namespace = configuration.snapshot.text(workload.pointee.namespace)
        }
        return body(call)
    }

    /// Asks for a connection that is not looked into. False: it is refused, and `words` has why.
    /// - Parameters:
    ///   - port: of the member, or of the listener.
    ///   - tls: the caller's, when this gateway has answered its handshake.
    func permitsConnection(
        _ authorization: Table<AuthorizationConfig>, _ origin: ConnectionOrigin, port: UInt16, serverName: ByteView,
        _ tls: TLSChannel?, _ configuration: LiveConfiguration, words: inout ByteBuffer
    ) -> Bool {
        if authorization.isEmpty { return true }
        var text = ByteBuffer()
        let isPermitted = withCaller(origin, tls, configuration) { known in
            var call = known
            call.port = port
            call.serverName = serverName
            return permits(authorization, call, RequestHead(), .empty, configuration, words: &text)
        }
        swap(&words, &text)
        return isPermitted
    }
}
