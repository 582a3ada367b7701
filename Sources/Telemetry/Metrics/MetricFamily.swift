/// One name under `/metrics`: what docs/metrics.md says of it, and what the exposition says, from one place.
public struct MetricFamily: Sendable {
    public enum Kind: String, Sendable { case counter, gauge, histogram }

    /// Where the values come from.
    enum Origin {
        /// The sum over all workers.
        case counter(Counter)
        /// A series for each worker.
        case eachWorker(Counter)
        case controller(ControllerCounter)
        case build, generation, revision, unboundSockets, certificates, workerStates, workerRestarts
        case controllerRestarts
        case rateLimits, authorizations
        case flowsQueued, flowsDelay, flowsRejected
        case memberDeaths, membersIsolated
        case statusClasses, reasons, durations, relayReasons, retryReasons
        case rolloutShares, rolloutPhases, rolloutRequests, rolloutFailures
        case routes(SlotValue)
        case endpoints(SlotValue)
        case healthy, ejections, stale
        case egressDenials
    }

    /// Which of the values of a slot.
    enum SlotValue { case requests, durations, requestBytes, responseBytes, connections, connectFailures }

    public let name: StaticString
    public let kind: Kind
    public let labels: [StaticString]
    public let help: StaticString
    let origin: Origin

    init(_ name: StaticString, _ kind: Kind, _ labels: [StaticString], _ origin: Origin, _ help: StaticString) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.origin = origin
        self.help = help
    }

    /// Everything that is exported, in the order of the exposition and of the documentation. Names are a promise: they are
    /// not changed, only added.
    public static let all = ofFamily + ofRequests + ofUpstream + ofOthers

    /// Of what passes below HTTP, of TLS, groups and policies, names and logs.
    private static let ofOthers: [MetricFamily] = [
        MetricFamily(
            "sluice_relays_total", .counter, ["reason"], .relayReasons,
            "Connections of TCPRoutes and TLSRoutes that have ended, by reason code."),
        MetricFamily("sluice_relays_active", .gauge, [], .counter(.relaysNow), "Those that are open now."),
        MetricFamily(
            "sluice_relay_received_bytes_total", .counter, [], .counter(.relayBytesReceived),
            "Octets passed on from clients of TCPRoutes, TLSRoutes and UDPRoutes."),
        MetricFamily(
            "sluice_relay_sent_bytes_total", .counter, [], .counter(.relayBytesSent), "Octets passed on to them."),
        MetricFamily(
            "sluice_tunnels_total", .counter, [], .counter(.tunnels),
            "CONNECT requests that were answered with a tunnel."),
        MetricFamily(
            "sluice_intercepted_connections_total", .counter, [], .counter(.interceptedConnections),
            "Connections that were going elsewhere and were brought here (`sluice.dev/transparent`)."),
        MetricFamily(
            "sluice_intercepted_own_connections_total", .counter, [], .counter(.ownConnectionsIntercepted),
            "Of those, the gateway's own, which the kernel's rules should have left alone; they are refused."),
        MetricFamily(
            "sluice_egress_denied_total", .counter, ["host", "caller"], .egressDenials,
            "Calls to hosts outside of a group that no route names (`sluice.dev/egress: deny`), by host and by caller (namespace/name, or address). Past 63 pairs of a worker: other."
        ),
        MetricFamily(
            "sluice_tls_handshakes_total", .counter, [], .counter(.tlsHandshakes),
            "TLS handshakes completed with clients."),
        MetricFamily(
            "sluice_tls_handshakes_resumed_total", .counter, [], .counter(.tlsHandshakesResumed),
            "Of those, under a session of earlier."),
        MetricFamily(
            "sluice_tls_handshake_failures_total", .counter, [], .counter(.tlsHandshakeFailures),
            "TLS handshakes with clients that failed."),
        MetricFamily(
            "sluice_http2_connections_total", .counter, [], .counter(.http2Connections),
            "Connections of clients that speak HTTP/2."),
        MetricFamily(
            "sluice_rate_limit_requests_total", .counter, ["policy", "outcome"], .rateLimits,
            "Requests that a rule of a rate limit held for, by policy (namespace/name): allowed, limited, shadowed (would have been limited)."
        ),
        MetricFamily(
            "sluice_flow_waiting", .gauge, [], .counter(.fairWaitingNow),
            "Calls of groups that wait now for the turn of their flow (one caller's calls to one service)."),
        MetricFamily(
            "sluice_flow_queued_total", .counter, ["service", "caller"], .flowsQueued,
            "Calls that had to wait because something was short, and went on; 256 flows a worker, the rest under other."
        ),
        MetricFamily(
            "sluice_flow_wait_seconds_total", .counter, ["service", "caller"], .flowsDelay,
            "How long they waited, in all."),
        MetricFamily(
            "sluice_flow_rejected_total", .counter, ["service", "caller"], .flowsRejected,
            "Calls refused because their flow, or their service, had what it may have."),
        MetricFamily(
            "sluice_service_worker_deaths_total", .counter, ["service"], .memberDeaths,
            "Workers that died of serving this service."),
        MetricFamily(
            "sluice_service_isolated", .gauge, ["service"], .membersIsolated,
            "1: one worker alone serves this service, because workers died of it."),
        MetricFamily(
            "sluice_authorization_calls_total", .counter, ["policy", "outcome"], .authorizations,
            "Calls that an AuthorizationPolicy decided or audited, by policy (namespace/name): allowed, denied, dry_run_allowed, dry_run_denied (would have been), audited."
        ),
        MetricFamily(
            "sluice_authorization_unverified_total", .counter, [], .counter(.unverifiedCallers),
            "Calls refused because a PeerAuthentication asks for mutual TLS and the caller showed no certificate."),
        MetricFamily(
            "sluice_rate_limit_service_up", .gauge, ["worker"], .eachWorker(.rateLimitServiceNow),
            "1: this worker counts global rate limits in Redis (--rate-limit-redis); 0: in this gateway."),
        MetricFamily(
            "sluice_rate_limit_fallbacks_total", .counter, [], .counter(.rateLimitFallbacks),
            "Requests whose global limits were counted in this gateway because Redis did not answer in time."),
        MetricFamily(
            "sluice_admission_control_rejected_total", .counter, [], .counter(.admissionRejected),
            "Requests refused by admission control."),
        MetricFamily(
            "sluice_adaptive_concurrency_rejected_total", .counter, [], .counter(.concurrencyRejected),
            "Requests refused because adaptive concurrency's limit was reached."),
        MetricFamily(
            "sluice_fault_delays_total", .counter, [], .counter(.delaysInjected),
            "Requests that a policy's faultInjection has delayed."),
        MetricFamily(
            "sluice_fault_aborts_total", .counter, [], .counter(.abortsInjected),
            "Requests that a policy's faultInjection has answered."),
        MetricFamily(
            "sluice_responses_overridden_total", .counter, [], .counter(.responsesOverridden),
            "Responses that a policy's responseOverride has replaced."),
        MetricFamily(
            "sluice_responses_compressed_total", .counter, [], .counter(.responsesCompressed),
            "Responses that were compressed."),
        MetricFamily(
            "sluice_compressions_skipped_total", .counter, [], .counter(.compressionsSkipped),
            "Responses that went as they were because the memory for compressing was used up."),
        MetricFamily(
            "sluice_arrivals_active", .gauge, [], .counter(.arrivalsNow),
            "Accepted connections whose PROXY header, ClientHello or TLS handshake is awaited."),
        MetricFamily(
            "sluice_arrivals_evicted_total", .counter, [], .counter(.arrivalsEvicted),
            "Of those, closed because too many waited."),
        MetricFamily(
            "sluice_arrivals_timed_out_total", .counter, [], .counter(.arrivalsTimedOut),
            "Of those, closed because what was awaited did not come in time."),
        MetricFamily(
            "sluice_proxy_headers_refused_total", .counter, [], .counter(.proxyHeadersRefused),
            "Connections closed for a broken or missing PROXY header."),
        MetricFamily(
            "sluice_datagram_sessions_total", .counter, [], .counter(.datagramSessions),
            "Sessions of UDPRoutes: a client's address and port with one of ours."),
        MetricFamily(
            "sluice_datagram_sessions_active", .gauge, [], .counter(.datagramSessionsNow), "Those that are open now."),
        MetricFamily(
            "sluice_datagrams_received_total", .counter, [], .counter(.datagramsReceived), "Datagrams from clients."),
        MetricFamily("sluice_datagrams_sent_total", .counter, [], .counter(.datagramsSent), "Datagrams to clients."),
        MetricFamily(
            "sluice_datagrams_dropped_total", .counter, [], .counter(.datagramsDropped),
            "Datagrams that went nowhere: no route, no valid backend, no room."),
        MetricFamily("sluice_dns_queries_total", .counter, [], .controller(.dnsQueries), "Backend names looked up."),
        MetricFamily(
            "sluice_dns_failures_total", .counter, [], .controller(.dnsFailures),
            "Look-ups without an answer; the last addresses are kept."),
        MetricFamily(
            "sluice_dns_updates_total", .counter, [], .controller(.dnsUpdates),
            "Snapshots published because addresses behind a name had changed."),
        MetricFamily(
            "sluice_access_log_lost_lines_total", .counter, [], .counter(.accessLogLostLines),
            "Access log lines that could not be written: full disk, full pipe."),
    ]
}
