import Core

/// What policies and the route itself say of the requests of one rule, beyond where they go: each member is a topic with a
/// file of its own. All of it absent is the plain case, which costs a request one test of an empty table.
public struct RouteTrafficPlan: Equatable, Sendable {
    /// BackendTrafficPolicy `timeout.http` (requestTimeout, streamIdleTimeout, maxStreamDuration).
    public var timeouts = RouteTimeoutsPlan()
    /// BackendTrafficPolicy `retry`; HTTPRoute's own is ``RulePlan/retry``.
    public var retry: PolicyRetryPlan?
    public var hedge: HedgePlan?
    public var faultInjection: FaultInjectionPlan?
    public var admissionControl: AdmissionControlPlan?
    public var adaptiveConcurrency: AdaptiveConcurrencyPlan?
    public var rateLimit: RateLimitPlan?
    public var bandwidthLimit: BandwidthLimitPlan?
    public var requestBuffer: RequestBufferPlan?
    public var responseOverride: [ResponseOverridePlan] = []
    public var compression: [CompressorPlan] = []
    public var httpUpgrade: HTTPUpgradePlan?
    /// HTTPRoute `sessionPersistence`.
    public var sessionPersistence: SessionPersistencePlan?
    /// Which backendRef is chosen by a key of the request.
    public var splitKey: SplitKeyPlan?
    public var rollout: RolloutPlan?

    public init() {}
    public var isEmpty: Bool { self == RouteTrafficPlan() }
    /// Something else than the weights as written decides which backendRef serves.
    public var decidesBackends: Bool { sessionPersistence != nil || splitKey != nil || rollout != nil }
}
