import Core

/// Where a central gateway is called, as the manifests name it (`sluice.dev/fallback-gateway`).
public enum CentralPlan: Hashable, Sendable {
    case address(SocketAddress)
    /// Every address that the name stands for.
    case name(DNSNamePlan)
}

extension CentralPlan: CustomStringConvertible {
    public var description: String {
        switch self {
        case .address(let address): address.description
        case .name(let name): "\(name.name):\(name.port)"
        }
    }
}
