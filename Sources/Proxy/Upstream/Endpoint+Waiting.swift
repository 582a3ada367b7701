import Config
import Connection
import Core
import HTTP
import IO
import TLS

/// Those who wait for a connection to the endpoint, when its connector has come to its end.
extension Endpoint {
    /// A connection is there for those who wait for it.
    func serveWaiting(_ connector: Connector) {
        worker.statistics.upstreamConnected(endpoint: slot)
        let wanted = waiting.wanted(of: connector) ?? transport.backendProtocol
        switch chosen(by: connector, wanted) {
        case .http2:
            let scheme: Scheme = transport.isSecure ? .https : .http
            let connection = HTTP2ClientConnection(
                connector, scheme: scheme, pool: self, terms: transport.terms, resources: worker.resources)
            multiplexed.append(connection)
            forEachWaiting(connector) { owner in
                guard connection.freeLanes > 0 else { return connectAgain(for: owner, wanted) }
                owner.connected(connection.openStream(owner: owner))
            }
            // Made for one client's PROXY header, or under settings that are not in force any more.
            if !mayBeKept(connection.tls) { connection.retire() }
        case .http1, .opaque, .negotiated:
            var isTaken = false
            forEachWaiting(connector) { owner in
                // HTTP/2 was expected, and each of the others needs a connection of its own now.
                guard !isTaken else { return connectAgain(for: owner, wanted) }
                isTaken = true
                owner.connected(
                    HTTP1ClientConnection(
                        connector, owner: owner, pool: self, terms: transport.terms, resources: worker.resources))
            }
        }
    }

    /// Those who wait for this connection, one after the other. What is done with one may be another's end: who has
    /// given up meanwhile is not among them.
    func forEachWaiting(_ connector: Connector, _ body: (ConnectionOwner) -> Void) {
        waiting.settle(connector)
        while let owner = waiting.next(of: connector) { body(owner) }
    }

    /// What is spoken on a new connection: what is written, or what the endpoint chose by ALPN. One that does not know
    /// ALPN is taken at the manifest's word.
    private func chosen(by connector: Connector, _ wanted: BackendProtocol) -> BackendProtocol {
        let selected = connector.channel?.session.applicationProtocol ?? .empty
        switch wanted {
        case .negotiated:
            negotiated = selected.equals(ByteView("h2")) ? .http2 : .http1
            return negotiated
        case .http1, .http2, .opaque: return wanted
        }
    }

    private func connectAgain(for owner: ConnectionOwner, _ wanted: BackendProtocol) {
        do throws(Errno) {
            try connect(for: owner, version: wanted == .http2 ? 2 : wanted == .http1 ? 1 : 0)
        } catch {
            owner.connectFailed(.refused(error))
        }
    }
}
