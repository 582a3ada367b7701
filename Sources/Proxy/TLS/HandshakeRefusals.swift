import Config
import Connection
import Core
import IO
import TLS
import Telemetry

/// Tells in the log whose handshakes fail where clients must show who they are: a wrong authority or trust domain is known
/// on neither side otherwise. Owned by the worker.
///
/// Limits: a line a ``pause`` for each listener, of ``listenerLimit`` listeners; what is left out is counted.
final class HandshakeRefusals {
    /// Between two lines about one listener.
    static let pause = TimeAmount.seconds(10)
    static let listenerLimit = 256

    private struct Quiet {
        var until: Instant
        /// Handshakes since the last line.
        var untold = 0
    }

    private unowned(unsafe) let worker: Worker
    /// By ``ListenerConfig/identity``.
    private var quiet: [UInt64: Quiet] = [:]

    init(worker: Worker) { self.worker = worker }

    /// Logs a handshake that failed, unless its listener asks for no certificates, or had a line just now.
    func note(_ handshake: TLSHandshake, _ failure: TLSFailure) {
        // As who only looks whether somebody accepts, each second perhaps.
        if failure.kind == .truncated { return }
        guard let configuration = worker.configuration,
            let listener = listener(handshake, configuration)
        else { return }
        let identity = listener.pointee.identity
        let now = worker.loop.now
        if let known = quiet[identity], now < known.until {
            quiet[identity]?.untold += 1
            return
        }
        let untold = quiet[identity]?.untold ?? 0
        if quiet.count >= Self.listenerLimit { quiet.removeAll(keepingCapacity: true) }
        quiet[identity] = Quiet(until: now + Self.pause)
        let snapshot = configuration.snapshot
        worker.log.warning(
            "a TLS handshake with a client failed",
            [
                "listener": .init(
                    "\(snapshot.text(listener.pointee.gatewayNamespace).string)/"
                        + "\(snapshot.text(listener.pointee.gatewayName).string)/"
                        + snapshot.text(listener.pointee.name).string),
                "peer": .init(handshake.origin.peer), "error": .init(failure.text), "untold": .init(untold),
            ])
    }

    /// The listener whose certificate was shown, or would have been, if it asks for clients'.
    private func listener(
        _ handshake: TLSHandshake, _ configuration: LiveConfiguration
    ) -> UnsafePointer<ListenerConfig>? {
        let snapshot = configuration.snapshot
        if let context = handshake.channel.session.context {
            guard let shown = worker.tlsContexts.listener(of: context),
                let index = configuration.listener(shown.identity)
            else { return nil }
            let listener = snapshot[snapshot.header.pointee.listeners, Int(index)]
            return listener.asksForCertificates(in: snapshot) ? listener : nil
        }
        guard let index = configuration.index(ofSocket: handshake.origin.socketID) else { return nil }
        let socket = snapshot[snapshot.header.pointee.sockets, Int(index)]
        let meant = handshake.channel.session.serverName.withView {
            worker.relays.listener($0, on: socket, in: snapshot)
        }
        guard let meant, meant.asksForCertificates(in: snapshot) else { return nil }
        return meant
    }
}

extension UnsafePointer<ListenerConfig> {
    /// Clients are asked for a certificate (`spec.tls.frontend`, or protocol HBONE).
    fileprivate func asksForCertificates(in snapshot: Snapshot) -> Bool {
        !pointee.tls.isEmpty && !snapshot[pointee.tls, 0].pointee.clientValidation.isEmpty
    }
}
