import Core

/// What a PROXY header told of a connection besides its source: kept to be passed on.
public final class ProxiedOrigin {
    /// Whom the client meant to reach.
    public let destination: SocketAddress
    /// The header's fields (version 2), checked; see ``ProxyHeaderWriter/writeV2(source:destination:fields:to:)``.
    public let fields: [UInt8]

    public init(destination: SocketAddress, fields: [UInt8]) {
        self.destination = destination
        self.fields = fields
    }
}
