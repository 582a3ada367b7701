/// A field of requests that goes on through a whole chain of calls, such as the version that a gray release gives a user
/// (`sluice.dev/carry`): told as an entry of `baggage`, too, and known again by the trace's identifier.
public struct CarriedFieldPlan: Equatable, Sendable {
    /// Lower case.
    public var name: String
    /// The key of its entry in `baggage`.
    public var baggageKey: String

    public init(name: String, baggageKey: String) {
        self.name = name
        self.baggageKey = baggageKey
    }
}
