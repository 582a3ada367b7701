import Core

/// How names of backends are looked up (BackendTrafficPolicy `dns`).
public struct DNSPlan: Equatable, Hashable, Sendable {
    public enum LookupFamily: UInt8, BitwiseCopyable, Sendable {
        case v4 = 1
        case v6, v4Preferred, v6Preferred, v4AndV6
    }
    /// Nil: every address of either family.
    public var lookupFamily: LookupFamily?
    /// How often a name is asked for again; nil: 30 s where the time to live is not obeyed.
    public var dnsRefreshRate: TimeAmount?
    /// Answers are used for their time to live, within bounds.
    public var respectDnsTtl = true

    public init() {}
}
