/// A ``ClientTrafficPlan`` in the block.
public struct ClientTrafficConfig: BitwiseCopyable, Sendable {
    public init() {}
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: ClientTrafficPlan) -> Table<ClientTrafficConfig> {
        block.append(contentsOf: [ClientTrafficConfig()])
    }
}
