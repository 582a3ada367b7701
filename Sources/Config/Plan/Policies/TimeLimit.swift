import Core

/// A length of time that somebody wrote, and where: what has run out of time is told whose word that was.
public struct TimeLimit: Equatable, Sendable {
    /// Zero: switched off in so many words.
    public var amount: TimeAmount
    /// `spec.timeout.http.requestTimeout of BackendTrafficPolicy 'default/x' (routes/x.yaml:12)`
    public var origin: String

    public init(_ amount: TimeAmount, origin: String) {
        self.amount = amount
        self.origin = origin
    }
}
