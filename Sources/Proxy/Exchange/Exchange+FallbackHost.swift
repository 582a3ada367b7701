import Config
import Connection
import Core
import HTTP
import Routing

/// For whom a request is that is handed on. It goes out with this gateway's own right to call: what its client wrote must
/// not make it another's than it is here.
extension Exchange {
    /// Whether the central gateway takes the request for nobody but whom it is for here. A tunnel says it; in clear text
    /// the Host is all that it goes by.
    func mayBeTold(to fallback: FallbackConfig) -> Bool {
        if call != nil { return true }
        let central = snapshot[snapshot.header.pointee.clusters, Int(fallback.http1)]
        let isTunnelled = !central.pointee.tunnel.isEmpty
        if isTunnelled, backendService.isEmpty { return false }
        guard let downstream, let message = downstream.request else { return false }
        return hostClaim(message, downstream.headBytes, unknownOnes: !isTunnelled) != .anothers
    }

    private func hostClaim(_ message: RequestMessage, _ bytes: ByteView, unknownOnes: Bool) -> HostClaim {
        guard let configuration else { return .anothers }
        return configuration.routes.claim(
            ofHost: message.head.host.of(bytes), port: message.head.port, from: backendService,
            unknownOnes: unknownOnes)
    }

    /// The Service of the backend that was decided on, `name.namespace:port`; empty: it is none.
    var backendService: ByteView {
        guard let backend, backend.pointee.cluster != BackendConfig.invalid else { return .empty }
        let cluster = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)]
        return snapshot.text(cluster.pointee.authority)
    }

    /// Appends the name and port of the Service that the request is for, by which any gateway finds it. False: the client's
    /// Host is as good. (It says nothing, or something else, where the connection was on its way to a member already; what
    /// is no whole name depends on who calls, and no port on where.)
    func writeMember(unless message: RequestMessage, _ bytes: ByteView, to out: inout ByteBuffer) -> Bool {
        guard let configuration else { return false }
        guard let call else {
            guard hostClaim(message, bytes, unknownOnes: true) == .own(isWhole: false) else { return false }
            out.append(backendService)
            return true
        }
        let host = message.head.host.of(bytes)
        if let dot = host.firstIndex(of: ASCII.dot), dot < host.count - 1,
            case .member(let named) = configuration.routes.lookUp(
                host: host, .exactly(message.head.port ?? 80), from: .empty, in: call.group),
            named.member == call.member, named.port == call.port
        {
            return false
        }
        configuration.writeAuthority(of: call, to: &out)
        return true
    }
}
