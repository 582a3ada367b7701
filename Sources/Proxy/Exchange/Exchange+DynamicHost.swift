import Config
import Connection
import Core
import HTTP
import IO

/// A backend whose host is the request's to say (Backend of type DynamicResolver): the name becomes a cluster of its
/// addresses before the request goes on.
extension Exchange: DynamicHosts.Waiter {
    /// Looks the request's host up, at once or later.
    func resolveHost(_ config: UnsafePointer<ClusterConfig>, _ message: RequestMessage, _ bytes: ByteView) {
        phase = .resolving
        switch worker.dynamicHosts.resolve(message.head.host.of(bytes), for: self) {
        case .waiting:
            attemptDeadline = worker.loop.now + worker.limits.connect
            armDeadline()
        case let outcome: hostResolved(outcome, config)
        }
    }

    /// The answer came.
    func hostResolved(_ outcome: DynamicHosts.Outcome) {
        guard phase == .resolving, let backend else { return }
        attemptDeadline = .distantFuture
        hostResolved(outcome, snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)])
    }

    private func hostResolved(_ outcome: DynamicHosts.Outcome, _ config: UnsafePointer<ClusterConfig>) {
        guard let configuration, let message = downstream?.request, let bytes = downstream?.headBytes else { return }
        switch outcome {
        case .addresses(let all):
            // Where a connection was going outside says its port; requests on it say no other.
            let called = call == nil ? downstream?.origin.destination?.port : nil
            let port = called ?? message.head.port ?? (config.pointee.tls.isEmpty ? 80 : 443)
            let allowsLocal = snapshot[config.pointee.dynamicResolver, 0].pointee.allowsLocalTargets
            let allowed = all.filter {
                isAllowed($0, port, allowsLocal: allowsLocal) && !isMember($0, configuration)
            }
            guard !allowed.isEmpty else { return hostRefused(.forbidden) }
            cluster = worker.clusters.cluster(
                config.pointee, of: outsideOf, host: message.head.host.of(bytes), port: port, addresses: allowed,
                in: configuration)
            goOn(message)
        case .waiting: preconditionFailure("a host that is waited for has no answer yet")
        case .failed, .forbidden, .overloaded: hostRefused(outcome)
        }
    }

    /// Requests do not go round in circles: what this gateway listens on is no target.
    private func isAllowed(_ address: IPAddress, _ port: UInt16, allowsLocal: Bool) -> Bool {
        if address.isLocalTarget, !allowsLocal { return false }
        return !worker.isOwnListener(SocketAddress(ip: address, port: port))
    }

    /// Nobody reaches a member past its policies by a name that somebody outside has given it.
    private func isMember(_ address: IPAddress, _ configuration: LiveConfiguration) -> Bool {
        outsideOf != ListenerConfig.noGroup && configuration.routes.isMember(address)
    }

    private func hostRefused(_ outcome: DynamicHosts.Outcome) {
        switch outcome {
        case .forbidden:
            answer(
                403, .dnsFailure,
                "the request's host is a service of a group, or on this machine or its links, which this backend does not allow"
            )
        case .overloaded: answer(503, .overload, "too many requests wait for the address of this host")
        case .failed, .addresses, .waiting: answer(503, .dnsFailure, "the request's host has no address")
        }
    }
}
