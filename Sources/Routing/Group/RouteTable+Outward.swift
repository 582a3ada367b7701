import Config
import Core

/// What becomes of a connection below HTTP to a host that is no member of the group.
public enum OutwardWay: Equatable, BitwiseCopyable, Sendable {
    /// By a route of the Gateway: index into ``SnapshotHeader/rules``.
    case asWritten(UInt32)
    /// To where it was going (`sluice.dev/egress: allow`).
    case asAsked
    case denied
}

extension RouteTable {
    /// - Parameter name: the host that is wanted, by whatever told it; empty: only an address is known.
    public func wayOut(to name: ByteView, by listener: UnsafePointer<ListenerConfig>) -> OutwardWay {
        if let rule = streamRule(for: name, of: listener) { return .asWritten(rule) }
        return group(listener.pointee.group).pointee.egress == .allow ? .asAsked : .denied
    }

    /// Whether a group's listener has routes of requests to a host outside.
    public func hasRequests(for name: ByteView, of listener: UnsafePointer<ListenerConfig>) -> Bool {
        find(name, in: listener.pointee.hosts) != HostIndex.none
    }

    /// The rule of a listener for connections to a host or with a server name: the most specific one; nil: there is none.
    public func streamRule(for name: ByteView, of listener: UnsafePointer<ListenerConfig>) -> UInt32? {
        // The hosts of a group's listener are those of its requests.
        let found = find(name, in: listener.pointee.isOfGroup ? listener.pointee.streamHosts : listener.pointee.hosts)
        return found == HostIndex.none ? nil : found
    }
}
