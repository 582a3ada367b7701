import Config
import Connection
import Core
import HTTP

/// What is particular to requests on listeners of protocol HBONE.
extension Exchange {
    /// The request came by HBONE itself, not inside of one of its streams.
    func isOnHBONE(_ connection: ServerStream, _ listener: UInt32) -> Bool {
        connection.origin.destination == nil
            && snapshot[snapshot.header.pointee.listeners, Int(listener)].pointee.listenerProtocol == .hbone
    }

    /// For whom a CONNECT is, when a caller that is believed says so (`sluice.dev/trusted-forwarders`): by `Forwarded`, else
    /// by `X-Forwarded-For`. Nil: for the caller itself.
    func forwardedPeer(_ group: UnsafePointer<GroupConfig>) -> SocketAddress? {
        guard let downstream, let caller = downstream.origin.caller, caller.isVerified,
            let message = downstream.request, isTrustedForwarder(caller, group)
        else { return nil }
        let bytes = downstream.headBytes
        if let value = last(.forwarded, of: message, bytes) {
            return ForwardedAddress.last(ofForwarded: value).map { SocketAddress(ip: $0, port: 0) }
        }
        return last(.xForwardedFor, of: message, bytes)
            .flatMap { ForwardedAddress.last(ofXForwardedFor: $0) }.map { SocketAddress(ip: $0, port: 0) }
    }

    /// What a CONNECT tells of the one connection that it is for. From whom that is, is taken from whoever may say for whom it
    /// calls.
    func tunnelMetadata(_ listener: UnsafePointer<ListenerConfig>) -> TunnelMetadata {
        var told = TunnelMetadata()
        guard let downstream, let message = downstream.request, let configuration else { return told }
        let bytes = downstream.headBytes
        told.trace = TraceLines.of(message.head.fields, in: bytes)
        told.isHandedOn = message.head.fields.first(.xSluiceHop) != nil
        if let caller = downstream.origin.caller, caller.isVerified,
            isTrustedForwarder(caller, configuration.group(of: listener)),
            let value = last(.baggage, of: message, bytes), value.count <= TunnelMetadata.baggageLimit
        {
            told.baggage = value.array
        }
        return told
    }

    /// The value of the last field of this name: what is nearest to us comes last.
    private func last(_ name: FieldName, of message: RequestMessage, _ bytes: ByteView) -> ByteView? {
        var found: ByteView?
        for index in 0..<message.head.fields.count where message.head.fields[index].name == name {
            found = message.head.fields[index].value(in: bytes)
        }
        return found
    }

    private func isTrustedForwarder(_ caller: Caller, _ group: UnsafePointer<GroupConfig>) -> Bool {
        let trusted = group.pointee.trustedForwarders
        guard !trusted.isEmpty else { return false }
        return caller.principal.withView { principal in
            (0..<Int(trusted.count)).contains { snapshot.text(snapshot[trusted, $0].pointee).equals(principal) }
        }
    }
}
