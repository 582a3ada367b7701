import Core

/// What `/metrics` is written from, besides the shared statistics: names, and what only the controller knows.
public struct MetricsSource {
    public struct Route {
        public var name: String
        public var slot: UInt32
        public init(name: String, slot: UInt32) {
            self.name = name
            self.slot = slot
        }
    }

    public struct Endpoint {
        public var backend: String
        /// As people are shown it.
        public var address: String
        public var slot: UInt32
        public init(backend: String, address: String, slot: UInt32) {
            self.backend = backend
            self.address = address
            self.slot = slot
        }
    }

    /// What is known of an endpoint's health.
    public struct Health {
        public var backend: String
        public var address: String
        /// New requests go there.
        public var isUsable: Bool
        /// In use although the set does not name it any more.
        public var isStale: Bool
        public var ejections: UInt64
        public init(backend: String, address: String, isUsable: Bool, isStale: Bool, ejections: UInt64) {
            self.backend = backend
            self.address = address
            self.isUsable = isUsable
            self.isStale = isStale
            self.ejections = ejections
        }
    }

    public struct Certificate {
        /// `namespace/name`.
        public var secret: String
        /// Seconds since 1970.
        public var notAfter: Int64
        public init(secret: String, notAfter: Int64) {
            self.secret = secret
            self.notAfter = notAfter
        }
    }

    /// A release that watches itself.
    public struct Rollout {
        public typealias Side = (requests: UInt64, failures: UInt64)
        /// `namespace/name`.
        public var route: String
        public var rule: String
        public var phase: String
        /// The canary's, in thousandths.
        public var share: UInt32
        public var canary: Side
        public var stable: Side
        public init(route: String, rule: String, phase: String, share: UInt32, canary: Side, stable: Side) {
            self.route = route
            self.rule = rule
            self.phase = phase
            self.share = share
            self.canary = canary
            self.stable = stable
        }
    }

    /// As the supervisor's messages have them.
    public enum WorkerState: String, CaseIterable {
        case starting, serving
        case backingOff = "backing_off"
        case draining, gone
    }

    public struct Worker {
        public var index: Int
        public var state: WorkerState
        public var restarts: UInt32
        public init(index: Int, state: WorkerState, restarts: UInt32) {
            self.index = index
            self.state = state
            self.restarts = restarts
        }
    }

    /// What the rules of one policy's rate limits said.
    public struct RateLimit {
        /// `namespace/name`.
        public var policy: String
        public var allowed: UInt64
        public var limited: UInt64
        public var shadowed: UInt64
        public init(policy: String, allowed: UInt64, limited: UInt64, shadowed: UInt64) {
            self.policy = policy
            self.allowed = allowed
            self.limited = limited
            self.shadowed = shadowed
        }
    }

    /// What calls of one caller to one service had to wait.
    public struct Flow {
        /// `namespace/name`.
        public var service: String
        public var caller: String
        public var queued: UInt64
        /// Nanoseconds.
        public var delay: UInt64
        public var rejected: UInt64
        public init(service: String, caller: String, queued: UInt64, delay: UInt64, rejected: UInt64) {
            self.service = service
            self.caller = caller
            self.queued = queued
            self.delay = delay
            self.rejected = rejected
        }
    }

    /// A service of a group.
    public struct Member {
        /// `namespace/name`.
        public var name: String
        /// Workers that died of serving it.
        public var deaths: UInt64
        public var isIsolated: Bool
        public init(name: String, deaths: UInt64, isIsolated: Bool) {
            self.name = name
            self.deaths = deaths
            self.isIsolated = isIsolated
        }
    }

    /// What one authorization policy said of calls.
    public struct Authorization {
        /// `namespace/name`.
        public var policy: String
        public var outcomes: [(name: String, count: UInt64)]
        public init(policy: String, outcomes: [(name: String, count: UInt64)]) {
            self.policy = policy
            self.outcomes = outcomes
        }
    }

    public var version: String
    public var reader: StatisticsReader
    public var controller: ControllerStatistics
    public var generation: UInt64 = 0
    public var revision: UInt64 = 0
    public var unboundSockets = 0
    public var controllerRestarts: UInt32 = 0
    public var workers: [Worker] = []
    public var routes: [Route] = []
    public var endpoints: [Endpoint] = []
    public var certificates: [Certificate] = []
    /// Of endpoints that are checked.
    public var health: [Health] = []
    public var rateLimits: [RateLimit] = []
    public var flows: [Flow] = []
    public var members: [Member] = []
    public var authorizations: [Authorization] = []
    public var rollouts: [Rollout] = []
    /// All that a rollout may be in.
    public var rolloutPhases: [String] = []

    public init(version: String, reader: StatisticsReader, controller: ControllerStatistics) {
        self.version = version
        self.reader = reader
        self.controller = controller
    }
}
