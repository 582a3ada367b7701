import Config
import Connection
import Core
import TLS
import Upstream

/// Who a certificate says is calling, on the listeners of groups.
extension Worker {
    /// What the peer has proved by the handshake; nil: it showed no workload's certificate, or one that was not verified.
    static func caller(of channel: TLSChannel) -> Caller? {
        guard let peer = channel.peerCertificate, peer.problem == nil, let id = peer.identity else { return nil }
        let principal = Array(id.description.utf8)
        return Caller(
            principal: principal, namespace: Array((id.workload?.namespace ?? "").utf8),
            name: Array((id.workload?.serviceAccount ?? "").utf8), flow: principal.withView { HashMix.hash($0) })
    }

    /// What is particular to a connection of HBONE: many streams, each with the octets of a connection, from peers that
    /// have proved who they are.
    /// - Parameter base: a policy's terms, or the worker's.
    func hboneTerms(_ base: ConnectionTerms?) -> ConnectionTerms {
        if base == nil, let spareHBONETerms { return spareHBONETerms }
        var limits = base?.limits ?? resources.limits
        limits.http2.maxConcurrentStreams = max(limits.http2.maxConcurrentStreams, TunnelLimits.streams)
        limits.http2.initialStreamWindowSize = max(limits.http2.initialStreamWindowSize, TunnelLimits.streamWindow)
        limits.http2.initialConnectionWindowSize = max(
            limits.http2.initialConnectionWindowSize, TunnelLimits.connectionWindow)
        limits.http2.abuse.resets = TunnelLimits.resets
        limits.http2.abuse.provokedResets = TunnelLimits.provokedResets
        limits.http2.abuse.controlFrames = TunnelLimits.controlFrames
        limits.http2.abuse.windowUpdates = TunnelLimits.windowUpdates
        let terms = ConnectionTerms(limits)
        if base == nil { spareHBONETerms = terms }
        return terms
    }
}
