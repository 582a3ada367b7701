import Core

/// How it is known which endpoints of a backend serve (BackendTrafficPolicy `spec.healthCheck`).
public struct HealthCheckPlan: Hashable, Sendable {
    /// Probes; nil: none.
    public var active: ActiveCheckPlan?
    /// What the answers to requests tell; nil: nothing is concluded from them.
    public var passive: PassiveCheckPlan?
    /// Percent of usable endpoints below which all are used, whatever their health. Nil: never; unlike Envoy, which does so
    /// below 50 % unless told otherwise.
    public var panicThreshold: UInt8?

    public init(active: ActiveCheckPlan? = nil, passive: PassiveCheckPlan? = nil, panicThreshold: UInt8? = nil) {
        self.active = active
        self.passive = passive
        self.panicThreshold = panicThreshold
    }
}

/// `healthCheck.active`: one probe, and what a series of them says of an endpoint.
public struct ActiveCheckPlan: Hashable, Sendable {
    public enum Probe: Hashable, Sendable {
        case http(HTTPProbePlan)
        /// - Parameters:
        ///   - send: octets that go out first; empty: none.
        ///   - receive: what must be among the octets that come back; empty: a connection is enough.
        case tcp(send: [UInt8], receive: [UInt8])
        /// `grpc.health.v1.Health/Check`; `service` empty: of the server as a whole.
        case grpc(service: String)
    }
    public var probe: Probe
    /// Until an answer has to be there, from the attempt to connect.
    public var timeout = TimeAmount.seconds(1)
    /// From the end of one probe to the next.
    public var interval = TimeAmount.seconds(3)
    /// The first probe waits for a random part of this.
    public var initialJitter = TimeAmount.zero
    /// Failures in a row that take an endpoint out. An answer that is plainly wrong does so at once (``HTTPProbePlan``).
    public var unhealthyThreshold: UInt32 = 3
    /// Successes in a row that take it in again.
    public var healthyThreshold: UInt32 = 1
    /// Probed instead of the endpoint's own port; 0: that.
    public var port: UInt16 = 0
    public var log: HealthCheckLogPlan?

    public init(_ probe: Probe) { self.probe = probe }
}

/// `healthCheck.active.http`.
public struct HTTPProbePlan: Hashable, Sendable {
    /// The Host field; empty: the endpoint's own name, else ``routeHostname``, else its address.
    public var hostname = ""
    /// Of the first route that uses the backend under this policy; empty: it serves every host.
    public var routeHostname = ""
    public var path: String
    public var method = "GET"
    public var requestBody: [UInt8] = []
    /// Empty: 200 alone.
    public var expectedStatuses: [UInt16] = []
    /// A response with one of these is one failure of several; with any other that is not expected, the endpoint is out.
    public var retriableStatuses: [UInt16] = []
    /// Must be among the first octets of the response's body (``HealthCheckLimits/responseBody``); empty: anything is fine.
    public var expectedResponse: [UInt8] = []

    public init(path: String) { self.path = path }
}

/// `healthCheck.active.healthCheckLog`: a file with a line for each probe's outcome of these kinds.
public struct HealthCheckLogPlan: Hashable, Sendable {
    public struct Events: OptionSet, Hashable, BitwiseCopyable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let failure = Events(rawValue: 1)
        /// The first failure after a success.
        public static let failureSeriesStart = Events(rawValue: 2)
        public static let success = Events(rawValue: 4)
        public static let healthyTransition = Events(rawValue: 8)
        public static let all = Events(rawValue: 15)
    }
    public var events: Events
    public var path: String

    public init(events: Events = .all, path: String = "/dev/stdout") {
        self.events = events
        self.path = path
    }
}

/// `healthCheck.passive`: when answers to requests take an endpoint out, and for how long. 0: a rule that is off.
public struct PassiveCheckPlan: Hashable, BitwiseCopyable, Sendable {
    public var consecutive5XxErrors: UInt32 = 5
    public var consecutiveGatewayErrors: UInt32 = 0
    /// Counts only with ``splitExternalLocalOriginErrors``.
    public var consecutiveLocalOriginFailures: UInt32 = 5
    public var splitExternalLocalOriginErrors = false
    public var interval = TimeAmount.seconds(3)
    public var baseEjectionTime = TimeAmount.seconds(30)
    public var maxEjectionPercent: UInt32 = 10
    public var alwaysEjectOneEndpoint = false
    /// Percent of failures in a window that take an endpoint out by themselves.
    public var failurePercentageThreshold: UInt32 = 85

    public init() {}
}

/// Bounds of health checks where the schema has none.
public enum HealthCheckLimits {
    /// Octets of a response, or of what comes back over TCP, in which the expected ones are looked for (Envoy's
    /// `response_buffer_size`).
    public static let responseBody = 1024
    /// Octets of a payload that is sent or expected.
    public static let payload = 1024
    /// Shorter intervals and timeouts are lengthened to this.
    public static let shortestInterval = TimeAmount.milliseconds(10)
}
