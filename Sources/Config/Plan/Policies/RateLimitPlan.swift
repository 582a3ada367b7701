import Core

/// BackendTrafficPolicy `rateLimit`.
public struct RateLimitPlan: Equatable, Sendable {
    /// The strictest first: a request that one refuses takes nothing of those behind it. A rule without selectors holds for
    /// requests that no other rule selects; there is at most one.
    public var local: [RateLimitRulePlan] = []
    /// Each counts every request that it selects, whatever the others say of it.
    public var global: [RateLimitRulePlan] = []

    public init() {}
    public var isEmpty: Bool { local.isEmpty && global.isEmpty }
}

/// One entry of `rateLimit.local.rules` or `rateLimit.global.rules`.
public struct RateLimitRulePlan: Equatable, Sendable {
    /// Whether `X-RateLimit-*` is told: as the listener's ClientTrafficPolicy says, or as the rule itself says.
    public enum Fields: UInt8, BitwiseCopyable, Sendable { case asListener, off, draft03 }

    /// `namespace/name` of the policy that wrote it: a part of the bucket's identity, and the metrics' label.
    public var policy: String
    /// `clientSelectors`; all must hold. Empty: every request.
    public var selectors: [RateLimitSelectorPlan] = []
    /// `limit.requests`, or units of cost.
    public var requests: UInt32
    /// `limit.unit`.
    public var unit: TimeAmount
    /// `cost.request.number`; 0 asks without taking.
    public var requestCost: UInt32 = 1
    /// `cost.response.number`, taken when the response is over.
    public var responseCost: UInt32 = 0
    /// One bucket for all the policy's routes instead of one for each.
    public var isShared = false
    /// Counts and never refuses.
    public var isShadow = false
    public var fields = Fields.asListener
    public var position = SourcePosition()

    public init(policy: String, requests: UInt32, unit: TimeAmount) {
        self.policy = policy
        self.requests = requests
        self.unit = unit
    }
}

/// One entry of `clientSelectors`: all of it must hold.
public struct RateLimitSelectorPlan: Equatable, Sendable {
    public enum ValueKind: UInt8, BitwiseCopyable, Sendable { case exact, regularExpression, distinct }
    public enum PathKind: UInt8, BitwiseCopyable, Sendable { case exact, prefix, regularExpression }

    public struct Value: Equatable, Sendable {
        /// Of headers in lower case.
        public var name: String
        public var kind: ValueKind
        public var value = ""
        public var isInverted = false

        public init(name: String, kind: ValueKind, value: String = "", isInverted: Bool = false) {
            self.name = name
            self.kind = kind
            self.value = value
            self.isInverted = isInverted
        }
    }
    public struct Method: Equatable, Sendable {
        public var value: String
        public var isInverted = false

        public init(value: String, isInverted: Bool = false) {
            self.value = value
            self.isInverted = isInverted
        }
    }
    public struct Path: Equatable, Sendable {
        public var kind: PathKind
        public var value: String
        public var isInverted = false

        public init(kind: PathKind, value: String, isInverted: Bool = false) {
            self.kind = kind
            self.value = value
            self.isInverted = isInverted
        }
    }
    public struct Source: Equatable, Sendable {
        public var range: AddressRange
        public var isDistinct = false
        public var isInverted = false

        public init(range: AddressRange, isDistinct: Bool = false, isInverted: Bool = false) {
            self.range = range
            self.isDistinct = isDistinct
            self.isInverted = isInverted
        }
    }

    public var headers: [Value] = []
    public var queryParams: [Value] = []
    /// Any one of them.
    public var methods: [Method] = []
    public var path: Path?
    public var source: Source?

    public init() {}
}
