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
    ///   - words: gets what a log should say, of dry runs and audits too.
    func permits(
        _ authorization: Table<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView, _ configuration: LiveConfiguration, words: inout PolicyWords
    ) -> Bool {
        let routes = configuration.routes
        let snapshot = configuration.snapshot
        let config = snapshot[authorization, 0]
        if config.pointee.hasAudit { audit(config, call, head, bytes, configuration, to: &words) }
        let verdict = routes.authorize(config, call, head, bytes)
        if verdict.cause == .unverified {
            statistics.increment(.unverifiedCallers)
        } else {
            count(verdict, in: snapshot, isDryRun: false)
        }
        if !verdict.isAllowed {
            words.detail.clear()
            routes.describe(verdict, config, to: &words.detail)
            return false
        }
        guard config.pointee.hasDryRun else { return true }
        let rehearsed = routes.rehearse(config, call, head, bytes)
        count(rehearsed, in: snapshot, isDryRun: true)
        if !rehearsed.isAllowed {
            words.detail.clear()
            words.detail.append("dry run: would be ")
            routes.describe(rehearsed, config, to: &words.detail)
        }
        return true
    }

    /// Counts the call, and has it told of, for each AUDIT policy that it matches.
    private func audit(
        _ config: UnsafePointer<AuthorizationConfig>, _ call: AuthorizedCall, _ head: borrowing RequestHead,
        _ bytes: ByteView, _ configuration: LiveConfiguration, to words: inout PolicyWords
    ) {
        let routes = configuration.routes
        routes.audit(config, call, head, bytes) { number, rule in
            let snapshot = configuration.snapshot
            let policy = snapshot[snapshot.header.pointee.authorizationPolicies, Int(number)]
            liveState.authorizations.count(.audited, policy.pointee.identity, now: loop.now)
            if words.audits.isEmpty {
                words.detail.append("audited by AuthorizationPolicy ")
            } else {
                words.audits.append(byte: ASCII.comma)
                words.detail.append(", ")
            }
            words.audits.append(snapshot.text(policy.pointee.name))
            routes.describe(number, rule, to: &words.detail)
        }
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

    /// Asks for a connection that is not looked into. False: it is refused, and `words` has why. What its record is to say
    /// is there in any case.
    /// - Parameters:
    ///   - port: of the member, or of the listener.
    ///   - tls: the caller's, when this gateway has answered its handshake.
    func permitsConnection(
        _ authorization: Table<AuthorizationConfig>, _ origin: ConnectionOrigin, port: UInt16, serverName: ByteView,
        _ tls: TLSChannel?, _ configuration: LiveConfiguration, words: inout PolicyWords
    ) -> Bool {
        if authorization.isEmpty { return true }
        var text = PolicyWords()
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
