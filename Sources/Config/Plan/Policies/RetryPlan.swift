import Core

/// What is sent again (`retry.retryOn.triggers` of BackendTrafficPolicy), by Envoy's names.
public struct RetryTriggers: OptionSet, Hashable, BitwiseCopyable, Sendable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let serverError = RetryTriggers(rawValue: 1 << 0)
    public static let gatewayError = RetryTriggers(rawValue: 1 << 1)
    public static let reset = RetryTriggers(rawValue: 1 << 2)
    public static let resetBeforeRequest = RetryTriggers(rawValue: 1 << 3)
    public static let connectFailure = RetryTriggers(rawValue: 1 << 4)
    public static let retriable4xx = RetryTriggers(rawValue: 1 << 5)
    public static let refusedStream = RetryTriggers(rawValue: 1 << 6)
    public static let retriableStatusCodes = RetryTriggers(rawValue: 1 << 7)
    public static let cancelled = RetryTriggers(rawValue: 1 << 8)
    public static let deadlineExceeded = RetryTriggers(rawValue: 1 << 9)
    public static let internalError = RetryTriggers(rawValue: 1 << 10)
    public static let resourceExhausted = RetryTriggers(rawValue: 1 << 11)
    public static let unavailable = RetryTriggers(rawValue: 1 << 12)

    /// Those that look at the status of a gRPC call.
    public static let grpc: RetryTriggers = [
        .cancelled, .deadlineExceeded, .internalError, .resourceExhausted, .unavailable,
    ]

    /// As the schema spells them.
    public static let names: [(name: StaticString, trigger: RetryTriggers)] = [
        ("5xx", .serverError), ("gateway-error", .gatewayError), ("reset", .reset),
        ("reset-before-request", .resetBeforeRequest), ("connect-failure", .connectFailure),
        ("retriable-4xx", .retriable4xx), ("refused-stream", .refusedStream),
        ("retriable-status-codes", .retriableStatusCodes), ("cancelled", .cancelled),
        ("deadline-exceeded", .deadlineExceeded), ("internal", .internalError),
        ("resource-exhausted", .resourceExhausted), ("unavailable", .unavailable),
    ]

    /// Where `retryOn` does not name any: Envoy Gateway's, with 503 for ``retriableStatusCodes``.
    public static let standard: RetryTriggers = [
        .connectFailure, .refusedStream, .unavailable, .cancelled, .retriableStatusCodes,
    ]

    /// Of HTTPRoute's own `retry`: its codes, and whatever got no answer at all ("any unrecoverable error", GEP-1731).
    public static let route: RetryTriggers = [.retriableStatusCodes, .reset, .connectFailure, .refusedStream]
}

/// How long to wait before an attempt is repeated.
public struct RetryBackOff: Equatable, BitwiseCopyable, Sendable {
    /// `perRetry.backOff.baseInterval`, or HTTPRoute's `retry.backoff`.
    public var base: TimeAmount
    /// `perRetry.backOff.maxInterval`: no wait is longer.
    public var longest: TimeAmount
    /// HTTPRoute's is "the minimum duration to wait": exactly `base`, without chance.
    public var isMinimum: Bool

    /// Envoy's, where nothing is written.
    public static let standardBase = TimeAmount.milliseconds(25)
    /// `maxInterval` where it is not written: so many times the base.
    public static let longestByBase: Int64 = 10

    @inlinable public init(base: TimeAmount, longest: TimeAmount? = nil, isMinimum: Bool = false) {
        self.base = base
        self.longest = longest ?? TimeAmount(nanoseconds: base.nanoseconds * RetryBackOff.longestByBase)
        self.isMinimum = isMinimum
    }

    public static let standard = RetryBackOff(base: standardBase)
}

/// When a request that got no good answer is sent again: HTTPRoute's `rules[].retry` or, where that is not written, `retry`
/// of the BackendTrafficPolicy in force.
public struct RetryPlan: Equatable, Sendable {
    /// Where their number is not written; Gateway API leaves it to the implementation.
    public static let standardAttempts = 2

    public var triggers: RetryTriggers
    /// For ``RetryTriggers/retriableStatusCodes``.
    public var codes: [UInt16]
    /// `numRetries`: attempts beyond the first.
    public var attempts: Int
    public var backOff: RetryBackOff

    public init(
        triggers: RetryTriggers, codes: [UInt16] = [], attempts: Int, backOff: RetryBackOff = .standard
    ) {
        self.triggers = triggers
        self.codes = codes
        self.attempts = attempts
        self.backOff = backOff
    }

    /// Retry as HTTPRoute has it.
    public init(codes: [UInt16], attempts: Int, backoff: TimeAmount) {
        self.init(
            triggers: .route, codes: codes, attempts: attempts,
            backOff: RetryBackOff(base: backoff, longest: backoff, isMinimum: true))
    }
}
