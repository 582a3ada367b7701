/// Why an exchange ended as it did, named as Envoy's response flags are, so that dashboards and habits carry over.
/// One a request; ``none`` when the answer is the backend's own, or one that a filter was asked for (a redirect).
///
/// The raw value is a place in the shared counters: new codes are added at the end.
public enum ReasonCode: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case none
    /// No route matched (404), or no listener for the host.
    case noRoute
    /// No healthy endpoint (503).
    case noHealthyUpstream
    /// The connection to the endpoint could not be made (503).
    case upstreamConnectionFailure
    /// The endpoint closed or reset before a response head (503).
    case upstreamConnectionTermination
    /// The endpoint, or the whole request, took longer than its timeout (504).
    case upstreamTimeout
    /// A circuit breaker's limit (503).
    case upstreamOverflow
    case rateLimited
    /// The downstream connection went before the response was complete.
    case downstreamTermination
    /// The request broke HTTP (400, 408, 414, 417, 431, 501, 505); 408: its head came too late.
    case downstreamProtocolError
    /// The endpoint's response broke HTTP (502).
    case upstreamProtocolError
    /// The endpoint reset after its response had begun.
    case upstreamRemoteReset
    /// Retries were used up.
    case upstreamRetryLimitExceeded
    /// The gateway shed load: descriptors, connections or memory near their limit (503).
    case overload
    /// Nothing moved for the idle timeout (408 or 504, or cut when the response had begun).
    case streamIdleTimeout
    /// The rule has no valid backend (500).
    case noCluster
    /// A field that must be valid was not (400).
    case invalidHeaders
    /// The gateway itself ended the exchange: the end of a drain.
    case localReset
    /// The request's own time was over before it was complete (408).
    case durationTimeout
    /// The backend's name could not be resolved (503).
    case dnsFailure
    /// Refused by an authorisation policy (401, 403).
    case unauthorized
    /// A fault that a policy injects (its status).
    case faultInjected
    /// A delay that a policy injects; what followed was in order.
    case delayInjected

    /// `NR`, `UH`…; `-` for none.
    @inlinable public var text: StaticString {
        switch self {
        case .none: "-"
        case .noRoute: "NR"
        case .noHealthyUpstream: "UH"
        case .upstreamConnectionFailure: "UF"
        case .upstreamConnectionTermination: "UC"
        case .upstreamTimeout: "UT"
        case .upstreamOverflow: "UO"
        case .rateLimited: "RL"
        case .downstreamTermination: "DC"
        case .downstreamProtocolError: "DPE"
        case .upstreamProtocolError: "UPE"
        case .upstreamRemoteReset: "UR"
        case .upstreamRetryLimitExceeded: "URX"
        case .overload: "OM"
        case .streamIdleTimeout: "SI"
        case .noCluster: "NC"
        case .invalidHeaders: "IH"
        case .localReset: "LR"
        case .durationTimeout: "DT"
        case .dnsFailure: "DF"
        case .unauthorized: "UAEX"
        case .faultInjected: "FI"
        case .delayInjected: "DI"
        }
    }

    /// For docs/metrics.md: what the downstream usually gets.
    var usualStatus: StaticString {
        switch self {
        case .none: "any"
        case .noRoute: "404"
        case .noHealthyUpstream, .upstreamConnectionFailure, .upstreamConnectionTermination, .upstreamOverflow,
            .overload, .dnsFailure:
            "503"
        case .upstreamTimeout: "504 or cut"
        case .rateLimited: "429"
        case .downstreamTermination, .upstreamRemoteReset, .localReset: "cut"
        case .downstreamProtocolError: "400, 408, 414, 417, 431, 501, 505"
        case .upstreamProtocolError: "502 or cut"
        case .upstreamRetryLimitExceeded: "the last attempt's"
        case .streamIdleTimeout, .durationTimeout: "408, 504 or cut"
        case .noCluster: "500"
        case .invalidHeaders: "400"
        case .unauthorized: "401, 403"
        case .faultInjected: "the policy's"
        case .delayInjected: "any"
        }
    }

    var meaning: StaticString {
        switch self {
        case .none: "The answer is the backend's, or one that a filter was asked for."
        case .noRoute: "No route matched, or no listener for the host."
        case .noHealthyUpstream: "No healthy endpoint."
        case .upstreamConnectionFailure: "The connection to the endpoint could not be made."
        case .upstreamConnectionTermination: "The endpoint closed or reset before it answered."
        case .upstreamTimeout: "The endpoint, its connection or the whole request took longer than its timeout."
        case .upstreamOverflow: "A limit of the circuit breaker was reached."
        case .rateLimited: "Refused by a rate limit."
        case .downstreamTermination: "The client went before the response was complete."
        case .downstreamProtocolError: "The request broke HTTP, or its head came too late."
        case .upstreamProtocolError: "The endpoint's response broke HTTP."
        case .upstreamRemoteReset: "The endpoint reset within its response."
        case .upstreamRetryLimitExceeded: "Retries were used up."
        case .overload: "The gateway shed load near a limit of its own."
        case .streamIdleTimeout: "Nothing moved for the idle timeout."
        case .noCluster: "The rule has no valid backend."
        case .invalidHeaders: "A header field that must be valid was not."
        case .localReset: "The gateway ended the exchange itself: the end of a drain."
        case .durationTimeout: "The request's own time was over before it was complete."
        case .dnsFailure: "The backend's name could not be resolved."
        case .unauthorized: "Refused by an authorisation policy."
        case .faultInjected: "Answered with an error because a policy injects faults."
        case .delayInjected: "Delayed because a policy injects faults, then served."
        }
    }
}
