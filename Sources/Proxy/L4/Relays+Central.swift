import Config
import Connection
import Core
import Routing

// Connections that cannot be served from here go to the central gateway of their group.
extension Relays {
    /// Whether a connection may be handed on.
    enum HandingOn {
        case never
        /// In clear text the other gateway could not tell whom it is for.
        case throughTunnels
        case anyhow
    }

    /// In clear text the central gateway is not told whose octets they are: it would go by what it reads in them, which is the
    /// client's. So they are handed on only where the address that is named can be meant for nothing else: the member has one
    /// port, and it is declared to take octets, or TLS.
    func handingOn(of call: MemberCall, _ configuration: LiveConfiguration) -> HandingOn {
        switch configuration.routes.memberPort(call).pointee.memberProtocol {
        case .tcp, .tls: configuration.routes.member(call).pointee.ports.count == 1 ? .anyhow : .throughTunnels
        case .undeclared, .http: .throughTunnels
        }
    }

    /// Names the central gateway, where a connection may be handed on to it (`sluice.dev/fallback-gateway`).
    ///
    /// There is no place for a mark in octets. So that two gateways that name each other do not pass a connection to and
    /// fro, one that comes from a central gateway stays here. The CONNECT of a tunnel has a place for it, and for whom it is.
    /// - Parameters:
    ///   - call: whom it is for; nil: nobody of a group, so the backend's Service.
    func nameCentral(
        _ session: RelaySession, _ choice: RelayChoice, _ listener: UnsafePointer<ListenerConfig>?,
        _ call: MemberCall?, _ configuration: LiveConfiguration, _ handingOn: HandingOn
    ) {
        let origin = session.origin
        guard handingOn != .never, choice.cluster != BackendConfig.invalid, !origin.isHandedOn else {
            return
        }
        let snapshot = configuration.snapshot
        let own = snapshot[snapshot.header.pointee.clusters, Int(choice.cluster)]
        var fallback = own.pointee.fallback
        if fallback.isEmpty, let listener { fallback = listener.pointee.fallback }
        guard !fallback.isEmpty else { return }
        let config = snapshot[snapshot.header.pointee.clusters, Int(fallback.opaque)]
        let isTunnelled = !config.pointee.tunnel.isEmpty
        guard isTunnelled || handingOn == .anyhow && (call == nil || !own.pointee.fallback.isEmpty) else { return }
        let central = configuration.cluster(fallback.opaque, of: worker)
        if isTunnelled {
            session.authority =
                call.map { configuration.authority(of: $0) } ?? snapshot.text(own.pointee.authority).array
            if session.authority.isEmpty { return }
        } else {
            let peer = origin.peer.ip
            if !peer.isLoopback, central.endpoints.contains(where: { $0.address.ip == peer }) { return }
        }
        session.central = central
    }
}
