/// What a member of a group has when something is short, and what it may have at most: annotations of the Service, or of
/// the Gateway for all its members.
public struct FairSharePlan: Equatable, Sendable {
    /// Shares of one (`sluice.dev/weight`), 1 to ``weightLimit``.
    public var weight: UInt32 = 1
    /// Calls of it that all workers hold at once: requests under way and relayed connections (`sluice.dev/max-connections`); 0: any
    /// number.
    public var maxConnections: UInt32 = 0
    /// Octets that all workers buffer for it at once (`sluice.dev/max-memory`); 0: any number.
    public var maxMemory: UInt64 = 0

    public static let weightLimit: UInt32 = 1000

    public init(weight: UInt32 = 1, maxConnections: UInt32 = 0, maxMemory: UInt64 = 0) {
        self.weight = weight
        self.maxConnections = maxConnections
        self.maxMemory = maxMemory
    }
}
