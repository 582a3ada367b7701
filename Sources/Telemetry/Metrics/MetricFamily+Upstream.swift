extension MetricFamily {
    /// Of connections to endpoints, attempts at them, and what is known of their health.
    static let ofUpstream: [MetricFamily] = [
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
    ]
}
