import Core

/// What one Gateway does as the gateway of a group of services: whose calls it takes, and what becomes of calls to anybody
/// else. Its listeners name it by ``ListenerPlan/group``.
public struct GroupPlan: Equatable, Sendable {
    /// The Gateway's.
    public var namespace: String
    public var name: String
    /// What ends a Service's full name (`name.namespace.svc.cluster.local`); lower case, without a dot at its ends.
    public var clusterDomain = "cluster.local"
    /// Ordered by namespace, then name.
    public var members: [MemberPlan] = []
    /// What becomes of a call to a host that is neither a member nor named by a route of the Gateway (`sluice.dev/egress`).
    public var egress = EgressDefault.deny
    /// Of requests that ``egress`` lets out: one rule to the host that a request names; index into ``GatewayPlan/routes``. Nil:
    /// none is let out.
    public var egressRoute: Int?
    /// Namespaces that are known by address alone count in policies as those that a certificate proves
    /// (`sluice.dev/trust-addresses`).
    public var trustsAddresses = false
    /// Principals that are believed when they tell for whom a CONNECT is (`sluice.dev/trusted-forwarders`), with scheme.
    public var trustedForwarders: [String] = []
    /// How many connections one caller may have (`sluice.dev/max-connections-per-caller`); 0: any number.
    public var connectionsPerCaller: UInt32 = 0
    public var position: SourcePosition

    public init(namespace: String, name: String, position: SourcePosition = SourcePosition()) {
        self.namespace = namespace
        self.name = name
        self.position = position
    }
}

/// `sluice.dev/egress`.
public enum EgressDefault: UInt8, BitwiseCopyable, Sendable { case deny, allow }
