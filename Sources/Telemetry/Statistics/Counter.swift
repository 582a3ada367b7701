/// The counters of one worker, by their place in its page. Most only grow; the ones named `…Now` are gauges of this
/// worker and begin at zero when it is respawned. New ones are added at the end, before nothing is renumbered: a family
/// of two versions shares the memory during an upgrade.
public enum Counter: Int, BitwiseCopyable, Sendable, CaseIterable {
    // Downstream.
    case downstreamConnections
    case downstreamConnectionsNow
    case downstreamConnectionsRefused  // Closed at once: descriptors or connections at their limit.
    case idleConnectionsClosed  // Idle ones closed to make room.
    case requestsNow
    case requestBodyBytes
    case responseBodyBytes
    case upgradesNow  // WebSocket tunnels.
    // Upstream.
    case upstreamConnections
    case upstreamConnectFailures
    case upstreamConnectTimeouts
    case upstreamReuses  // Requests sent on a connection that had served before.
    case upstreamReplays  // Sent again because a reused connection died before an answer.
    case upstreamRetries
    case upstreamPooledNow  // Idle connections kept.
    case upstreamRequestsNow
    case mirroredRequests
    case mirrorFailures
    // The worker itself.
    case accessLogLostLines
    case loopTurns
    case generationNow  // The configuration that this worker serves.
    // Below HTTP.
    case relaysNow  // Connections of TCPRoutes and TLSRoutes.
    case relayBytesReceived  // From clients.
    case relayBytesSent
    case arrivalsNow  // Accepted connections that have not told yet what they are.
    case arrivalsEvicted  // Closed at once or early: the limit on those was reached.
    case arrivalsTimedOut
    case proxyHeadersRefused
    case datagramSessions
    case datagramSessionsNow
    case datagramsReceived  // From clients.
    case datagramsSent
    case datagramsDropped  // No rule, no valid backend, no room.
    // TLS and HTTP/2.
    case tlsHandshakes  // Completed, with clients.
    case tlsHandshakesResumed  // Of those, without certificates being shown again.
    case tlsHandshakeFailures
    case http2Connections  // Of clients.
    // Retries, by what made them.
    case retriesOfConnects
    case retriesOfResets
    case retriesOfTimeouts
    case retriesOfStatuses
    case retriesOfGRPCStatuses
    case retryBudgetExhausted  // Retries that a policy asked for and the budget did not give.
    case hedges  // Second attempts while the first was slow.
    case hedgesWon
    // Filters.
    case delaysInjected
    case abortsInjected
    case responsesOverridden
    case responsesCompressed
    case compressionsSkipped  // For want of memory.

    // Limits.
    case rateLimitServiceNow  // 1: global limits are counted in the server that gateways share.
    case rateLimitFallbacks  // Requests that it did not answer in time, counted here.
    case admissionRejected
    case concurrencyRejected
    // Limits on clients, and load.
    case connectionLimitRefusals  // A listener had as many connections as its policy allows.
    case overloadRefusals  // Refused because memory, descriptors or connections were short.
    case overloadLevelNow  // 0: none, 1: idle connections go, 2: new ones are refused.
    case memoryNow  // Octets that are this worker's alone.
    // Circuit breakers.
    case breakerPendingNow  // Requests that wait for a permit.
    case breakerOverflows  // Refused: as many waited already as may.
    case breakerRetryOverflows  // Retries that were not made.
    // Flows of groups.
    case fairWaitingNow  // Calls that wait for their flow's turn, or for a place.
    // Authorization.
    case unverifiedCallers  // Refused: no certificate where one is asked for.
    // Groups of services.
    case tunnels  // CONNECT requests that were answered with a tunnel.
    case interceptedConnections  // That were going somewhere else.
    case ownConnectionsIntercepted  // Refused: the gateway's own, which came back.
    case egressDenied  // Calls to hosts outside that no route names.
    // The way out.
    case requestsHandedOn  // To the central gateway.
    case handingOnFailures  // Of those, without an answer from there.
    case relaysHandedOn  // Connections below HTTP.
    case diversions  // Times that a backend could not be served from here.
    case divertedNow  // Backends whose requests go to the central gateway.

    /// A gauge: the value is a level, not a sum over time.
    public var isLevel: Bool {
        switch self {
        case .downstreamConnectionsNow, .requestsNow, .upgradesNow, .upstreamPooledNow, .upstreamRequestsNow,
            .generationNow, .overloadLevelNow, .memoryNow, .relaysNow, .arrivalsNow, .datagramSessionsNow,
            .rateLimitServiceNow, .breakerPendingNow, .fairWaitingNow, .divertedNow:
            true
        default: false
        }
    }
}
