/// Gives identities their places in shared memory; 0: none of its own. The control side's, asked in plan order while a block
/// is written, so that equal plans give equal places.
public struct SnapshotSlots {
    public typealias Source = (_ identity: UInt64) -> UInt32

    /// Backend and address: statistics and live state of an endpoint, shared by all clusters that use it.
    public var endpoint: Source
    /// Kind, namespace and name: statistics of a route.
    public var route: Source
    /// A cluster's name: breakers and budgets of a backend under a policy.
    public var cluster: Source
    /// Route and rule: what is counted for a rule whose traffic is managed.
    public var rule: Source
    /// Rule and backendRef: what is counted for each side of a release.
    public var backendRef: Source
    /// Gateway (or ListenerSet) and name: connections of a listener.
    public var listener: Source
    /// A group's member, by namespace and name: what it holds of what is short.
    public var member: Source

    public init(
        endpoint: @escaping Source = { _ in 0 }, route: @escaping Source = { _ in 0 },
        cluster: @escaping Source = { _ in 0 }, rule: @escaping Source = { _ in 0 },
        backendRef: @escaping Source = { _ in 0 }, listener: @escaping Source = { _ in 0 },
        member: @escaping Source = { _ in 0 }
    ) {
        self.endpoint = endpoint
        self.route = route
        self.cluster = cluster
        self.rule = rule
        self.backendRef = backendRef
        self.listener = listener
        self.member = member
    }
}
