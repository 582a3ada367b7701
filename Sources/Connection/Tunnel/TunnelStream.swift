import Core
import Glibc
import HTTP
import IO

/// Our end of a tunnel that leads into this very process: what is written to it comes out of the other end, which is
/// served as a connection of its own (``ConnectionOrigin/tunnel``), and the other way round.
///
/// To its owner, an exchange or whoever relays, it is a stream that has switched protocols: octets in both directions until
/// each has ended. Half-closing passes through the pair. A reset does not by itself: the far end says so with
/// ``willBreak()``, and learns of ours by its socket's hanging up before it has finished (``RawConnection``).
///
/// Limits: what the two sockets hold (net.core.wmem_default each way), and one block of each stream beside it.
public final class TunnelStream: ClientStream {
    private var wire: HTTP1Wire
    /// The far end breaks off: what it has said is not whole.
    private var isBroken = false
    /// What its CONNECT told of the one connection inside; nil: nothing.
    public var told: TunnelMetadata?

    /// Registers the descriptor, one end of a ``SocketPair``, with the loop.
    public init(adopting fd: consuming OwnedFD, owner: ConnectionOwner, resources: ConnectionResources) {
        wire = HTTP1Wire(adopting: fd)
        super.init(peer: SocketAddress(ip: .any, port: 0), owner: owner, resources: resources)
        mayWrite = true
        outgoing = .untilClose
        incoming.begin(.untilClose)
        resources.loop.add(wire.fd, self)
        resources.tunnelsNow += 1
    }

    public override var isOpen: Bool { wire.isOpen }

    /// The far end is about to close, and its peer would have seen a reset.
    public func willBreak() { isBroken = true }

    /// What the far end has said is whole, so far as it is read to its end.
    public var isOrderly: Bool { !isBroken && failure == nil }

    public override func ready(_ events: ReadyEvents) {
        guard wire.isOpen else { return }
        wire.note(events, self)
        if events.has(.writable) { owner.writable(self) }
        if wire.isOpen, events.has(.anyForReading) || events.rawValue == 0 { owner.readable(self) }
    }

    public override func fill() -> Fill { wire.fill(self) }
    public override func write(body data: ByteView, more: Bool) -> Int { wire.write(body: data, more: more, self) }
    public override func flush() -> Bool { wire.flush(self) }
    public override func finishSending() { wire.finishSending(self) }
    public override var isTruncated: Bool { isBroken }

    public override func endBody(after source: MessageStream?) {
        source?.dropTrailers()
        outgoing = .none
    }

    /// The far end sees its peer go: as a reset, unless both directions have ended.
    public override func close() {
        guard wire.isOpen else { return }
        resources.tunnelsNow -= 1
        wire.close(self)
    }

    public override func release(keeps: Bool) { close() }
}

/// What a CONNECT told of the connection inside of it, to be told again where that goes on through another tunnel.
public struct TunnelMetadata {
    /// Octets of ``baggage``, at most (W3C Baggage, section 3.3.2).
    public static let baggageLimit = 8192

    /// `traceparent` and `tracestate`, as whole lines; empty: it belongs to no trace.
    public var trace: [UInt8] = []
    /// Where a forwarder that is believed said from whom it is (`baggage`); empty: nobody did.
    public var baggage: [UInt8] = []
    /// Another gateway could not serve it.
    public var isHandedOn = false

    public init() {}

    public var isEmpty: Bool { trace.isEmpty && baggage.isEmpty && !isHandedOn }
}
