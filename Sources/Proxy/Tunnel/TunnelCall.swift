import Core
import Routing

/// What a CONNECT says of the one call that its tunnel is for. Of a tunnel that carries the requests of many clients nothing of
/// this can be said.
struct TunnelCall {
    /// Whom it is for, where the tunnel leads to a gateway (``TunnelTransport/isPerCall``).
    var authority: [UInt8] = []
    /// For whom it is made; nil: it is not told.
    var client: IPAddress?
    /// `traceparent` and `tracestate`, as whole lines.
    var trace: [UInt8] = []
    /// A caller's own `baggage`, which a forwarder that is believed has told; empty: ours.
    var baggage: [UInt8] = []
    /// It could not be served by the gateway that hands it on.
    var isHandedOn = false
}

extension LiveConfiguration {
    /// The name and port by which any gateway finds a member.
    func authority(of call: MemberCall) -> [UInt8] {
        var out = ByteBuffer()
        writeAuthority(of: call, to: &out)
        return out.view.array
    }

    /// Appends the same: `name.namespace:port`.
    func writeAuthority(of call: MemberCall, to out: inout ByteBuffer) {
        let member = routes.member(call)
        out.append(snapshot.text(member.pointee.name))
        out.append(byte: ASCII.dot)
        out.append(snapshot.text(member.pointee.namespace))
        out.append(byte: ASCII.colon)
        out.append(decimal: UInt64(routes.memberPort(call).pointee.number))
    }
}
