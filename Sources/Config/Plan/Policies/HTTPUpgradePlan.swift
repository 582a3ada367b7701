import Core

/// BackendTrafficPolicy `httpUpgrade`: which protocols a request may upgrade to. Without it: websocket.
public struct HTTPUpgradePlan: Equatable, Sendable {
    /// Lower case, as `Upgrade` names them.
    public var types: [String]

    public init(types: [String]) { self.types = types }
}
