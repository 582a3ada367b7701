import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry

/// Requests and the policies that say who may make them.
extension Exchange {
    /// Asks the policies of the place that is called, right when it is known and before its routes are. False: the request
    /// has been answered 403, in the words of Istio; the log says which policy it was.
    /// - Parameter port: of the member, or of the listener.
    func isPermitted(
        _ authorization: Table<AuthorizationConfig>, port: UInt16, _ message: RequestMessage, _ bytes: ByteView,
        _ configuration: LiveConfiguration
    ) -> Bool {
        if authorization.isEmpty { return true }
        guard let downstream else { preconditionFailure("a request of nobody") }
        // It was asked where all is known of the connection, the handshake's server name too, and counted there.
        if downstream.origin.wasPermitted { return true }
        var words = PolicyWords()
        let client = clientAddress.ip
        let path = path(message, bytes)
        let isPermitted = worker.withCaller(downstream.origin, downstream.tls, configuration) { known in
            var call = known
            call.client = client
            call.port = port
            call.isHTTP = true
            call.method = message.head.methodRange.of(bytes)
            call.host = message.head.host.of(bytes)
            call.authority = message.head.authority.of(bytes)
            call.path = path
            guard let name = downstream.tls?.session.serverName, !name.isEmpty else {
                return worker.permits(authorization, call, message.head, bytes, configuration, words: &words)
            }
            return name.withView {
                call.serverName = $0
                return worker.permits(authorization, call, message.head, bytes, configuration, words: &words)
            }
        }
        if !words.detail.isEmpty { swap(&detail, &words.detail) }
        if !words.audits.isEmpty { swap(&audits, &words.audits) }
        if !isPermitted { answer(403, .unauthorized, "RBAC: access denied") }
        return isPermitted
    }
}
