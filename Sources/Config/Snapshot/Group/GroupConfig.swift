import Core

/// A ``GroupPlan`` as workers read it.
public struct GroupConfig: BitwiseCopyable, Sendable {
    public var namespace: TextRef
    public var name: TextRef
    /// Host → index into ``members``: `name.namespace`, with `.svc`, with the cluster domain; a lone `name`, which is
    /// ``ambiguous`` where several members have it. The name of a caller's own namespace is looked for as `name.namespace` first.
    public var names: HostIndex
    public var members: Table<MemberConfig>
    /// Ordered by address and port; port 0: every port of the member.
    public var addresses: Table<MemberAddressConfig>
    public var egress: EgressDefault
    /// Index into ``SnapshotHeader/rules``: where requests go that ``egress`` lets out; ``MemberPortConfig/none``: nowhere.
    public var egressRule: UInt32
    public var trustsAddresses: Bool
    public var trustedForwarders: Table<TextRef>
    /// 0: any number.
    public var connectionsPerCaller: UInt32
    public var position: SourcePosition

    /// Stands in ``names`` for a name that says too little.
    public static let ambiguous: UInt32 = .max - 1
}

/// A ``MemberPlan`` as workers read it.
public struct MemberConfig: BitwiseCopyable, Sendable {
    public var namespace: TextRef
    public var name: TextRef
    /// `namespace/name`, as logs show it.
    public var qualifiedName: TextRef
    /// Of namespace and name: under which live state is kept.
    public var identity: UInt64
    /// In the order of the manifest; never empty.
    public var ports: Table<MemberPortConfig>
    public var fairShare: FairShareConfig
    public var position: SourcePosition
}

/// A ``MemberPortPlan`` as workers read it.
public struct MemberPortConfig: BitwiseCopyable, Sendable {
    public static let none: UInt32 = .max

    public var number: UInt16
    public var memberProtocol: MemberProtocol
    /// Index into ``SnapshotHeader/memberPathIndexes``, or ``none``: no requests are served.
    public var pathIndex: UInt32
    /// Index into ``SnapshotHeader/rules``: the rule that serves connections; ``none``: there is none.
    public var streamRule: UInt32
    /// The same for calls to the address of an endpoint, which go without the Service's routes.
    public var directPathIndex: UInt32
    public var directStreamRule: UInt32
    /// Ordered by namespace.
    public var consumers: Table<ConsumerConfig>
    /// None: everybody may call it; else one.
    public var authorization: Table<AuthorizationConfig>
}

/// What callers of one namespace have in the place of what everybody has.
public struct ConsumerConfig: BitwiseCopyable, Sendable {
    public var namespace: TextRef
    /// As in ``MemberPortConfig``; ``MemberPortConfig/none``: as everybody.
    public var pathIndex: UInt32
    public var streamRule: UInt32
}

/// An address by which a member is called.
public struct MemberAddressConfig: BitwiseCopyable, Sendable {
    public var ip: IPAddress
    /// 0: every port of the member, by its own number.
    public var port: UInt16
    /// Index into ``GroupConfig/members``.
    public var member: UInt32
    /// Index into the member's ports; meaningful unless ``port`` is 0.
    public var memberPort: UInt32

    /// It is an endpoint's own.
    @inlinable public var isEndpoint: Bool { port != 0 }
}

/// A ``WorkloadPlan`` as workers read it.
public struct WorkloadConfig: BitwiseCopyable, Sendable {
    public var address: IPAddress
    public var namespace: TextRef
    public var name: TextRef
    public var service: TextRef
}
