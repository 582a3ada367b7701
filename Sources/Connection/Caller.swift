import Core

/// Who calls through a group's gateway: made once for a connection, shared by what comes inside of it.
///
/// Owned by the connection's ``ConnectionOrigin``. Nothing of it points into a snapshot.
public final class Caller {
    /// What the peer's certificate proves (`spiffe://trust-domain/ns/NAMESPACE/sa/NAME`, SPIFFE-ID section 2); empty: it
    /// showed none.
    public let principal: [UInt8]
    /// Empty: unknown.
    public let namespace: [UInt8]
    /// The service account that the certificate names, else the workload at the caller's address; empty: unknown.
    public let name: [UInt8]
    /// Equal for connections of one caller; what is shared fairly is shared among these.
    public let flow: UInt64

    /// It is a certificate that tells who it is, not an address.
    public var isVerified: Bool { !principal.isEmpty }

    public init(principal: [UInt8] = [], namespace: [UInt8], name: [UInt8], flow: UInt64) {
        self.principal = principal
        self.namespace = namespace
        self.name = name
        self.flow = flow
    }
}

/// Where a connection was going when it was sent to the gateway instead.
public enum CallDestination {
    /// The address that the caller dialled (SO_ORIGINAL_DST, TPROXY, an HBONE authority that is an address).
    case address(SocketAddress)
    /// Host and port as a CONNECT named them (RFC 9110, section 9.3.6).
    case authority(host: [UInt8], port: UInt16)

    public var port: UInt16 {
        switch self {
        case .address(let address): address.port
        case .authority(_, let port): port
        }
    }
}
