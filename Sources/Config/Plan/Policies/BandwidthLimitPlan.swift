import Core

/// BackendTrafficPolicy `bandwidthLimit`.
public struct BandwidthLimitPlan: Equatable, Sendable {
    /// Octets a second of request bodies; 0: no limit.
    public var request: UInt64 = 0
    /// Octets a second of response bodies; 0: no limit.
    public var response: UInt64 = 0
    /// `response.responseTrailers.prefix`, in lower case; nil: no trailers.
    public var trailerPrefix: String?

    public init() {}
}
