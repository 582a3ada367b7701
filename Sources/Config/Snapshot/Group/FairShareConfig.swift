/// A ``FairSharePlan`` as workers read it.
public struct FairShareConfig: BitwiseCopyable, Sendable {
    /// The member's place in the live state; 0: none of its own.
    public var slot: UInt32
    public var weight: UInt32
    /// 0: any number.
    public var maxConnections: UInt32
    /// Octets; 0: any number.
    public var maxMemory: UInt64

    public init(_ plan: FairSharePlan, slot: UInt32) {
        self.slot = slot
        weight = plan.weight
        maxConnections = plan.maxConnections
        maxMemory = plan.maxMemory
    }
}
