/// A ``ClusterTrafficPlan`` in the block.
public struct ClusterTrafficConfig: BitwiseCopyable, Sendable {
    public init() {}
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: ClusterTrafficPlan) -> Table<ClusterTrafficConfig> {
        block.append(contentsOf: [ClusterTrafficConfig()])
    }
}
