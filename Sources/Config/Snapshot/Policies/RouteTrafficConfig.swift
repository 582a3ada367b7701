/// A ``RouteTrafficPlan`` in the block. A table has none or one where the plan is optional.
public struct RouteTrafficConfig: BitwiseCopyable, Sendable {
    /// The rule's place in the shared live state; kept for its identity (route, rule) as long as the family lives.
    public var slot: UInt32

    public init(slot: UInt32) { self.slot = slot }
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: RouteTrafficPlan, slot: UInt32) -> Table<RouteTrafficConfig> {
        let config = RouteTrafficConfig(slot: slot)
        return block.append(contentsOf: [config])
    }
}
