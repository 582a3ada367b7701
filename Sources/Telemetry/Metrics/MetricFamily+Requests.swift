extension MetricFamily {
    /// Of clients' connections and of requests.
    static let ofRequests: [MetricFamily] = [
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
    ]
}
