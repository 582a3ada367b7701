import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry
import Upstream

/// The way out: a request that cannot be served from here goes to the central gateway of its group
/// (`sluice.dev/fallback-gateway`), as its client sent it, with a mark that it was handed on.
///
/// Whenever nothing of it was sent that may not be sent again, and no answer has begun: no endpoint is usable, none can be
/// connected to, the circuit breaker's line is full, or connections died under a request that may be repeated. A request
/// that carries the mark already is never handed on, so no two gateways pass one to each other for ever; a client that
/// sends the mark itself only forgoes the way out.
extension Exchange {
    enum FallbackLimits {
        /// How long a connection may take, here and to the central gateway, where there is another way.
        static let connect = TimeAmount.seconds(1)
        /// Central gateways that a request is sent to one after the other.
        static let attempts = 4
    }

    /// Where the request may be handed on to; nil: nobody is named, or it is nobody else's.
    private var fallback: FallbackConfig? {
        guard let found = namedFallback, !isForOneEndpoint, mayBeTold(to: found) else { return nil }
        return found
    }

    /// Who calls the address of one endpoint wants that one and no other of the Service.
    private var isForOneEndpoint: Bool { call?.endpoint != nil }

    private var namedFallback: FallbackConfig? {
        guard let backend, backend.pointee.cluster != BackendConfig.invalid else { return nil }
        let own = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)].pointee.fallback
        if !own.isEmpty { return own }
        guard decision.listener < snapshot.header.pointee.listeners.count else { return nil }
        let general = listener.pointee.fallback
        return general.isEmpty ? nil : general
    }

    /// Somebody has handed it on to us.
    private var carriesHopMark: Bool {
        downstream?.request?.head.fields.first(.xSluiceHop) != nil
            || downstream?.origin.isHandedOn == true
    }

    /// A connection that takes long is given up earlier when there is another way.
    func connectPatience(of target: Endpoint) -> TimeAmount {
        if let written = target.transport.connectTimeout { return written }
        guard isHandedOn || !mayNotBeHandedOn && fallback != nil else { return worker.limits.connect }
        return min(worker.limits.connect, FallbackLimits.connect)
    }

    /// Its backend could not be reached a moment ago: it is handed on without asking. To be called before the first attempt.
    func goesElsewhere() -> Bool {
        guard let cluster, cluster.isDiverted else { return false }
        return handOn(.untried)
    }

    /// What the local backend's failure says of it.
    enum LocalFailure {
        case none
        /// It was not asked: it could not be reached a moment ago.
        case untried
        /// Nobody of it can be reached.
        case unreachable
    }

    /// Sends the request to the central gateway instead. False: there is none, or it may not be; the caller answers.
    /// - Parameter failure: `unreachable`: so do all that come after it, until the backend is back.
    func handOn(_ failure: LocalFailure) -> Bool {
        guard !isHandedOn, !mayNotBeHandedOn, let fallback, let configuration, canSendAgain, !carriesHopMark,
            let local = cluster
        else { return false }
        let isHTTP2 =
            isGRPC || grpcWeb?.isTranslated == true
            || local.transport.backendProtocol == .http2 && downstream?.majorVersion == 2
        let central = configuration.cluster(isHTTP2 ? fallback.http2 : fallback.http1, of: worker)
        if failure == .unreachable, !lacksMeans { local.divert() }
        leaveLine()
        giveRetryPermitBack()
        isHandedOn = true
        localCluster = local
        localIsUntried = failure == .untried
        cluster = central
        begin(anew: FallbackLimits.attempts - 1)
        worker.statistics.increment(.requestsHandedOn)
        attempt()
        return true
    }

    /// Central gateways are other ones than those that were tried.
    private func begin(anew attempts: Int) {
        tried = TriedEndpoints()
        connectFailures = 0
        lacksMeans = false
        replayedOnFresh = false
        fallbackAttemptsLeft = attempts
        // What the rule says of retries and hedges is for its own backend.
        retriesLeft = 0
        hedgeDeadline = .distantFuture
    }

    /// The central gateway's connection died under the request: another one is asked, if the request may be sent again.
    func goesToAnotherCentral(nothingSent: Bool) -> Bool {
        guard isHandedOn, fallbackAttemptsLeft > 0, canSendAgain, nothingSent || mayBeSentTwice else { return false }
        fallbackAttemptsLeft -= 1
        attempt()
        return true
    }

    /// An attempt's connection died before an answer: may the request go to the central gateway?
    func isHandedOnAfterLoss(nothingSent: Bool) -> Bool {
        if isHandedOn { return goesToAnotherCentral(nothingSent: nothingSent) }
        return (nothingSent || mayBeSentTwice) && handOn(.none)
    }

    private var mayBeSentTwice: Bool { downstream?.request?.head.method.isIdempotent == true }

    /// No central gateway answers either. A backend here that was not even asked is asked after all.
    func returnsToLocal() -> Bool {
        guard isHandedOn, localIsUntried, canSendAgain, let local = localCluster else { return false }
        worker.statistics.increment(.handingOnFailures)
        leaveLine()
        isHandedOn = false
        localIsUntried = false
        mayNotBeHandedOn = true
        cluster = local
        begin(anew: 0)
        attempt()
        return true
    }

    /// What tells a gateway that this request has been handed on: how often, which is once.
    func writeHopMark(to out: inout ByteBuffer) { out.append("X-Sluice-Hop: 1\r\n") }

    private var hasFoundNobody: Bool {
        switch reason {
        case .noHealthyUpstream, .upstreamConnectionFailure, .upstreamConnectionTermination, .upstreamOverflow,
            .upstreamTimeout, .upstreamRemoteReset:
            true
        default: false
        }
    }

    func clearFallback() {
        if isHandedOn, hasFoundNobody { worker.statistics.increment(.handingOnFailures) }
        isHandedOn = false
        mayNotBeHandedOn = false
        localIsUntried = false
        localCluster = nil
        fallbackAttemptsLeft = 0
    }
}
