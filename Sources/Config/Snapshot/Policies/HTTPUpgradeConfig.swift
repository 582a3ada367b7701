/// An ``HTTPUpgradePlan`` in the block.
public struct HTTPUpgradeConfig: BitwiseCopyable, Sendable {
    /// Lower case.
    public var types: Table<TextRef>
}
