import Config
import Core

/// The port of a group's member that a call is for.
public struct MemberCall: BitwiseCopyable, Sendable {
    /// Index into ``SnapshotHeader/groups``.
    public var group: UInt32
    /// Index into ``GroupConfig/members``.
    public var member: UInt32
    /// Index into ``MemberConfig/ports``.
    public var port: UInt32
    /// The endpoint whose own address was called: the call goes there and nowhere else, without the Service's routes. Nil: it
    /// is the Service that was called.
    public var endpoint: SocketAddress?

    public init(group: UInt32, member: UInt32, port: UInt32, endpoint: SocketAddress? = nil) {
        self.group = group
        self.member = member
        self.port = port
        self.endpoint = endpoint
    }
}

/// What a name or an address is to a group.
public enum CallLookup: BitwiseCopyable, Sendable {
    case member(MemberCall)
    /// The member is there (index into ``GroupConfig/members``), but has no such port.
    case noPort(UInt32)
    /// Members of several namespaces have this name, and the caller's is none of them.
    case ambiguous
    /// No member: a host that the group's gateway may have routes for, or egress.
    case outside
}

/// Which port is meant where a host is named.
public enum PortWish: BitwiseCopyable, Sendable {
    /// The one that is dialled: CONNECT says it, as does an address.
    case exactly(UInt16)
    /// What a request says (its Host's port, if any), which came by a listener's port; `isSecure`: within TLS that ended there,
    /// so that it is for no port that wants the caller's own.
    case request(port: UInt16?, listener: UInt16, isSecure: Bool)
    /// What a handshake says that is passed on as it is: nothing, but that it is TLS.
    case passedOn(listener: UInt16)
}
