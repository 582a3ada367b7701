import Config
import Connection
import Core
import HTTP

/// What is told of a request to a gateway that it goes to through a tunnel of its own.
extension Exchange {
    /// Nil: the tunnel carries others' requests too, or there is none.
    func tunnelCall(to target: Endpoint) -> TunnelCall? {
        guard target.transport.tunnel?.isPerCall == true, let downstream, let message = downstream.request else {
            return nil
        }
        let bytes = downstream.headBytes
        var call = TunnelCall()
        call.authority = tunnelAuthority
        call.client = downstream.origin.peer.ip
        call.trace = TraceLines.of(message.head.fields, in: bytes)
        call.isHandedOn = isHandedOn
        return call
    }

    /// Whom the request is for: the member, as any gateway finds it; else the Service that was decided on here. Never whom the
    /// client names: the other gateway goes by it, and lets us call whom the client may not.
    private var tunnelAuthority: [UInt8] {
        if let call, let configuration { return configuration.authority(of: call) }
        return backendService.array
    }
}

/// The trace that a request belongs to (W3C Trace Context), to be told beside it.
enum TraceLines {
    /// Octets of both lines, at most; what is longer is not told.
    static let limit = 1024

    /// Whole lines of a CONNECT's head; empty: it belongs to none.
    static func of(_ fields: borrowing FieldTable, in bytes: ByteView) -> [UInt8] {
        guard let parent = fields.first(.traceparent)?.value(in: bytes), Traceparent.traceID(parent) != nil else {
            return []
        }
        var lines = ByteBuffer()
        lines.append("traceparent: ")
        lines.append(parent)
        lines.append("\r\n")
        for index in 0..<fields.count where fields[index].name(in: bytes).equalsIgnoringCase("tracestate") {
            lines.append("tracestate: ")
            lines.append(fields[index].value(in: bytes))
            lines.append("\r\n")
        }
        return lines.count <= limit ? lines.view.array : []
    }
}
