/// What a series of probes has come to, for one endpoint and one way of probing it.
///
///     pending ─ the first result ─▶ passing or failing;   passing ◀─ so many results in a row ─▶ failing
public struct ProbeSeries: BitwiseCopyable, Sendable {
    public enum Standing: UInt8, BitwiseCopyable, Sendable { case pending, passing, failing }
    public enum Result: BitwiseCopyable, Sendable {
        case passed
        /// No connection, no answer in time, or an answer that is worth another try.
        case failed
        /// An answer that leaves no doubt: one is enough.
        case refused
    }

    public let healthyThreshold: UInt32
    public let unhealthyThreshold: UInt32
    public private(set) var standing: Standing
    /// Results in a row that speak against the standing.
    private var contrary: UInt32 = 0

    /// - Parameter standing: what is known from before, of a predecessor; pending: the first result decides.
    public init(healthyThreshold: UInt32, unhealthyThreshold: UInt32, standing: Standing = .pending) {
        self.healthyThreshold = healthyThreshold
        self.unhealthyThreshold = unhealthyThreshold
        self.standing = standing
    }

    /// - Returns: the new standing when this result changed it, else nil.
    public mutating func take(_ result: Result) -> Standing? {
        let next: Standing
        switch (standing, result) {
        case (.pending, .passed): next = .passing
        case (.pending, .failed), (.pending, .refused), (.passing, .refused): next = .failing
        case (.passing, .passed), (.failing, .failed), (.failing, .refused):
            contrary = 0
            return nil
        case (.passing, .failed):
            contrary += 1
            guard contrary >= unhealthyThreshold else { return nil }
            next = .failing
        case (.failing, .passed):
            contrary += 1
            guard contrary >= healthyThreshold else { return nil }
            next = .passing
        }
        contrary = 0
        standing = next
        return next
    }
}
