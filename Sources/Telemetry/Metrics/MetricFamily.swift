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

    private init(_ name: StaticString, _ kind: Kind, _ labels: [StaticString], _ origin: Origin, _ help: StaticString) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.origin = origin
        self.help = help
    }

    /// Everything that is exported, in the order of the exposition and of the documentation. Names are a promise: they are
    /// not changed, only added.
    public static let all: [MetricFamily] = [
        MetricFamily("sluice_build_info", .gauge, ["version"], .build, "Always 1; the label tells the version."),
        MetricFamily(
            "sluice_config_generation", .gauge, [], .generation,
            "The set of manifests that all workers serve; grows by one with each that takes effect."),
        MetricFamily(
            "sluice_config_revision", .gauge, [], .revision,
            "Snapshots published so far, those of changed DNS answers included."),
        MetricFamily(
            "sluice_config_loaded_timestamp_seconds", .gauge, [], .controller(.loadedAt),
            "When the running set took effect, seconds since 1970."),
        MetricFamily(
            "sluice_config_reloads_total", .counter, [], .controller(.reloads),
            "Attempts to load a set of manifests, the first included."),
        MetricFamily(
            "sluice_config_reload_failures_total", .counter, [], .controller(.reloadFailures),
            "Attempts that changed nothing, because the set was refused."),
        MetricFamily(
            "sluice_config_unbound_sockets", .gauge, [], .unboundSockets,
            "Addresses of the running set that could not be bound."),
        MetricFamily(
            "sluice_certificate_expiry_timestamp_seconds", .gauge, ["secret"], .certificates,
            "When the certificate in use of this Secret (namespace/name) expires, seconds since 1970."),
        MetricFamily(
            "sluice_rollout_canary_ratio", .gauge, ["route", "rule"], .rolloutShares,
            "The canary's share of what it and the stable version get together, 0 to 1."),
        MetricFamily(
            "sluice_rollout_phase", .gauge, ["route", "rule", "phase"], .rolloutPhases,
            "1 for the phase that the rollout is in: progressing, holding, completed, rolledBack; 0 for the others."),
        MetricFamily(
            "sluice_rollout_requests_total", .counter, ["route", "rule", "side"], .rolloutRequests,
            "Requests that the rollout has compared, by side: canary, stable."),
        MetricFamily(
            "sluice_rollout_failures_total", .counter, ["route", "rule", "side"], .rolloutFailures,
            "Of those, the ones that failed: status 500 and above, or no whole response."),
        MetricFamily(
            "sluice_workers", .gauge, ["state"], .workerStates,
            "Worker processes by what they are doing: starting, serving, backing_off, draining, gone."),
        MetricFamily(
            "sluice_worker_restarts_total", .counter, ["worker"], .workerRestarts,
            "How often a worker was started again after it had died."),
        MetricFamily(
            "sluice_controller_restarts_total", .counter, [], .controllerRestarts,
            "How often the controller was started again after it had died."),
        MetricFamily(
            "sluice_worker_config_generation", .gauge, ["worker"], .eachWorker(.generationNow),
            "The set of manifests that this worker serves."),
        MetricFamily(
            "sluice_worker_loop_turns_total", .counter, ["worker"], .eachWorker(.loopTurns),
            "Turns of the worker's event loop."),
        MetricFamily(
            "sluice_downstream_connections_total", .counter, [], .counter(.downstreamConnections),
            "Connections accepted by listeners."),
        MetricFamily(
            "sluice_downstream_connections", .gauge, [], .counter(.downstreamConnectionsNow),
            "Downstream connections that are open now."),
        MetricFamily(
            "sluice_downstream_connections_refused_total", .counter, [], .counter(.downstreamConnectionsRefused),
            "Connections closed at once because a limit was reached."),
        MetricFamily(
            "sluice_downstream_idle_connections_closed_total", .counter, [], .counter(.idleConnectionsClosed),
            "Idle connections closed early to make room for others."),
        MetricFamily(
            "sluice_downstream_connection_limit_refusals_total", .counter, [], .counter(.connectionLimitRefusals),
            "Connections refused because a listener had as many as its ClientTrafficPolicy allows."),
        MetricFamily(
            "sluice_overload_refusals_total", .counter, [], .counter(.overloadRefusals),
            "Connections refused because memory, descriptors or connections were short."),
        MetricFamily(
            "sluice_worker_overload_level", .gauge, ["worker"], .eachWorker(.overloadLevelNow),
            "What a worker does against overload: 0 nothing, 1 idle connections are closed, 2 new ones are refused."),
        MetricFamily(
            "sluice_worker_memory_bytes", .gauge, ["worker"], .eachWorker(.memoryNow),
            "Octets of memory that are this worker's alone."),
        MetricFamily(
            "sluice_requests_total", .counter, ["code_class"], .statusClasses,
            "Requests by the class of their answer; none: there was no answer."),
        MetricFamily(
            "sluice_request_reasons_total", .counter, ["reason"], .reasons,
            "Requests by reason code, named as Envoy's response flags; -: nothing went wrong."),
        MetricFamily(
            "sluice_requests_active", .gauge, [], .counter(.requestsNow), "Requests that are being served now."),
        MetricFamily(
            "sluice_upgrades_active", .gauge, [], .counter(.upgradesNow), "WebSocket tunnels that are open now."),
        MetricFamily(
            "sluice_request_body_bytes_total", .counter, [], .counter(.requestBodyBytes),
            "Octets of request bodies received, without framing."),
        MetricFamily(
            "sluice_response_body_bytes_total", .counter, [], .counter(.responseBodyBytes),
            "Octets of response bodies sent, without framing."),
        MetricFamily(
            "sluice_request_duration_seconds", .histogram, [], .durations,
            "From a request's head, once complete, to the last octet of its response."),
        MetricFamily(
            "sluice_route_requests_total", .counter, ["route", "code_class"], .routes(.requests),
            "Requests by route (namespace/name) and class of answer; an empty route: none matched, or past the limit of counted routes."
        ),
        MetricFamily(
            "sluice_route_request_duration_seconds", .histogram, ["route"], .routes(.durations),
            "The same duration, by route."),
        MetricFamily(
            "sluice_route_request_body_bytes_total", .counter, ["route"], .routes(.requestBytes),
            "Octets of request bodies, by route."),
        MetricFamily(
            "sluice_route_response_body_bytes_total", .counter, ["route"], .routes(.responseBytes),
            "Octets of response bodies, by route."),
        MetricFamily(
            "sluice_upstream_connections_total", .counter, [], .counter(.upstreamConnections),
            "Connections made to endpoints."),
        MetricFamily(
            "sluice_upstream_connect_failures_total", .counter, [], .counter(.upstreamConnectFailures),
            "Connections to endpoints that could not be made."),
        MetricFamily(
            "sluice_upstream_connect_timeouts_total", .counter, [], .counter(.upstreamConnectTimeouts),
            "Those of them that took too long."),
        MetricFamily(
            "sluice_upstream_reuses_total", .counter, [], .counter(.upstreamReuses),
            "Requests sent on a connection that had served before."),
        MetricFamily(
            "sluice_upstream_replays_total", .counter, [], .counter(.upstreamReplays),
            "Requests sent again because a reused connection had died."),
        MetricFamily(
            "sluice_upstream_retries_total", .counter, [], .counter(.upstreamRetries),
            "Attempts beyond the first that a retry policy asked for."),
        MetricFamily(
            "sluice_upstream_retries_by_reason_total", .counter, ["reason"], .retryReasons,
            "The same by what made them: connect, reset, timeout, status, grpc_status."),
        MetricFamily(
            "sluice_upstream_retry_budget_exhausted_total", .counter, [], .counter(.retryBudgetExhausted),
            "Retries and hedges that were due and for which the backend's budget had nothing left."),
        MetricFamily(
            "sluice_upstream_hedges_total", .counter, [], .counter(.hedges),
            "Second attempts made while the first one was slow."),
        MetricFamily(
            "sluice_upstream_hedges_won_total", .counter, [], .counter(.hedgesWon),
            "Those of them that answered first."),
        MetricFamily(
            "sluice_upstream_pooled_connections", .gauge, [], .counter(.upstreamPooledNow),
            "Idle connections to endpoints that are kept for reuse."),
        MetricFamily(
            "sluice_upstream_requests_active", .gauge, [], .counter(.upstreamRequestsNow),
            "Requests that endpoints are working on now."),
        MetricFamily(
            "sluice_circuit_breaker_pending", .gauge, [], .counter(.breakerPendingNow),
            "Requests and TCP connections that wait for a permit of their backend's circuit breaker."),
        MetricFamily(
            "sluice_circuit_breaker_overflows_total", .counter, [], .counter(.breakerOverflows),
            "Requests and TCP connections that were refused, because as many waited already as may (UO)."),
        MetricFamily(
            "sluice_circuit_breaker_retry_overflows_total", .counter, [], .counter(.breakerRetryOverflows),
            "Retries that were not made, because as many were under way already as may be."),
        MetricFamily(
            "sluice_fallback_requests_total", .counter, [], .counter(.requestsHandedOn),
            "Requests handed on to the central gateway (sluice.dev/fallback-gateway)."),
        MetricFamily(
            "sluice_fallback_failures_total", .counter, [], .counter(.handingOnFailures),
            "Those of them that got no answer from there."),
        MetricFamily(
            "sluice_fallback_connections_total", .counter, [], .counter(.relaysHandedOn),
            "Connections below HTTP that were handed on to the central gateway."),
        MetricFamily(
            "sluice_fallback_diversions_total", .counter, [], .counter(.diversions),
            "Times that a worker found a backend not to be served from here, and diverted its requests."),
        MetricFamily(
            "sluice_fallback_diverted_backends", .gauge, [], .counter(.divertedNow),
            "Backends whose requests go to the central gateway now, of each worker."),
        MetricFamily(
            "sluice_mirrored_requests_total", .counter, [], .counter(.mirroredRequests),
            "Copies of requests sent to mirrors."),
        MetricFamily(
            "sluice_mirror_failures_total", .counter, [], .counter(.mirrorFailures),
            "Copies that could not be sent or got no answer."),
        MetricFamily(
            "sluice_endpoint_requests_total", .counter, ["backend", "endpoint", "code_class"], .endpoints(.requests),
            "Attempts by backend (namespace/name:port), endpoint and class of answer."),
        MetricFamily(
            "sluice_endpoint_request_duration_seconds", .histogram, ["backend", "endpoint"], .endpoints(.durations),
            "How long attempts took, by endpoint."),
        MetricFamily(
            "sluice_endpoint_connections_total", .counter, ["backend", "endpoint"], .endpoints(.connections),
            "Connections made to the endpoint."),
        MetricFamily(
            "sluice_endpoint_connect_failures_total", .counter, ["backend", "endpoint"], .endpoints(.connectFailures),
            "Connections to the endpoint that could not be made."),
        MetricFamily(
            "sluice_endpoint_healthy", .gauge, ["backend", "endpoint"], .healthy,
            "Whether a checked endpoint takes new requests: 1, or 0 while its health checks fail or it is ejected."),
        MetricFamily(
            "sluice_endpoint_ejections_total", .counter, ["backend", "endpoint"], .ejections,
            "Ejections of a checked endpoint by outlier detection."),
        MetricFamily(
            "sluice_endpoints_stale", .gauge, [], .stale,
            "Endpoints in use only because most of their backend's were taken away while their health checks pass."),
        MetricFamily(
            "sluice_health_probes_total", .counter, [], .controller(.healthProbes), "Health checks made."),
        MetricFamily(
            "sluice_health_probe_failures_total", .counter, [], .controller(.healthProbeFailures),
            "Those of them that failed."),
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

    /// docs/metrics.md.
    public static var documentation: String {
        var text = """
            # Metrics

            What `GET /metrics` of the admin interface gives, in Prometheus' text format. Made from the same table as the \
            exposition; a test compares them. Counters are kept in memory that the family of processes shares: they outlive \
            a worker and the controller, and end with the gateway. Series of routes and endpoints appear with their first \
            request; at most \(StatisticsLayout.slotLimit - 1) routes and as many endpoints are counted one by one over the \
            life of a gateway, what comes later is counted under an empty name.

            | name | type | labels | meaning |
            | --- | --- | --- | --- |

            """
        for family in all {
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            text += "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |\n"
        }
        text += "\nReason codes (`reason`), as in the access log:\n\n| code | status | meaning |\n| --- | --- | --- |\n"
        for code in ReasonCode.allCases { text += "| `\(code.text)` | \(code.usualStatus) | \(code.meaning) |\n" }
        text += "\n`IH` has its place already; "
        text += "this version gives none.\n"
        return text
    }
}
