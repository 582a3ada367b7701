import Config
import Core

/// What the host of a request that is for nobody of a group says to another gateway, which may know members by it that are
/// not known here.
public enum HostClaim: Equatable, Sendable {
    /// No member's name, as far as can be told here.
    case nobodys
    /// The Service's that the request goes to.
    /// - Parameter isWhole: by its whole name and port, so that it means the same to whoever reads it.
    case own(isWhole: Bool)
    /// A Service's to which the request does not go.
    case anothers
}

extension RouteTable {
    /// - Parameters:
    ///   - host: without port, of any case.
    ///   - port: as written beside it.
    ///   - service: the backend's, `name.namespace:port`; empty: it has none.
    ///   - unknownOnes: whether names of the form of a Service's count as such, and those of Services that are in no group
    ///     here.
    public func claim(
        ofHost host: ByteView, port: UInt16?, from service: ByteView, unknownOnes: Bool
    ) -> HostClaim {
        // What is named absolutely is the same name (RFC 1034, section 3.1).
        let host = host.count > 1 && host[host.count - 1] == ASCII.dot ? host.upTo(host.count - 1) : host
        guard !host.isEmpty else { return .nobodys }
        if let isWhole = Self.names(service, host, port) { return .own(isWhole: isWhole) }
        for group in 0..<header.pointee.groups.count {
            switch lookUp(host: host, .exactly(port ?? 80), from: .empty, in: UInt32(group)) {
            case .outside: continue
            case .member, .noPort, .ambiguous: return .anothers
            }
        }
        guard unknownOnes, Self.literal(host) == nil else { return .nobodys }
        // A lone name: whose it is depends on who reads it.
        guard let first = host.firstIndex(of: ASCII.dot) else { return .anothers }
        if let second = host.firstIndex(of: ASCII.dot, from: first + 1) {
            let rest = host.from(second + 1)
            return rest.upTo(rest.firstIndex(of: ASCII.dot) ?? rest.count).equalsIgnoringCase("svc")
                ? .anothers : .nobodys
        }
        return find(host, in: header.pointee.services) == HostIndex.none ? .nobodys : .anothers
    }

    /// Whether a host names a Service (`name.namespace:port`), and if so, whether it does so whoever reads it; nil: it does not.
    private static func names(_ service: ByteView, _ host: ByteView, _ port: UInt16?) -> Bool? {
        guard let colon = service.lastIndex(of: ASCII.colon), let dot = service.firstIndex(of: ASCII.dot), dot < colon
        else { return nil }
        if host.equalsIgnoringCase(service.upTo(dot)) { return false }
        guard host.count >= colon, host.upTo(colon).equalsIgnoringCase(service.upTo(colon)) else { return nil }
        if host.count > colon {
            let rest = host.from(colon)
            guard rest.count >= 4, rest.upTo(4).equalsIgnoringCase(".svc"), rest.count == 4 || rest[4] == ASCII.dot
            else { return nil }
        }
        return service.from(colon + 1).decimal == UInt64(port ?? 80)
    }
}
