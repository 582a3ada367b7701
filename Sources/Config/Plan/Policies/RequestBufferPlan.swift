import Core

/// BackendTrafficPolicy `requestBuffer`: a request goes to a backend when the whole of it is there.
public struct RequestBufferPlan: Equatable, BitwiseCopyable, Sendable {
    /// The most that a body may have, in octets; beyond it: 413.
    public var limit: UInt64

    public init(limit: UInt64) { self.limit = limit }
}
