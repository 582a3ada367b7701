import HTTP
import IO
import TLS

/// Who is told what happens on a stream or connection: a proxied exchange, a pool, an admin page, `echo`.
///
/// The one callback in the house. A stream never reads or writes on its own account while a message is under way: it
/// says that it could, and its owner pulls and pushes; so back-pressure needs no switch.
open class ConnectionOwner: Timed {
    // MARK: of a stream

    /// A request's head is complete: `stream.request`. The owner may hand the stream to another owner.
    open func requestReceived(on stream: ServerStream) {}

    /// Octets, or the peer's end, may be waiting to be read.
    open func readable(_ stream: MessageStream) {}

    /// Octets are taken again after some had been refused.
    open func writable(_ stream: MessageStream) {}

    /// A head that the strict parser refused, or that came too late, is to be answered on `stream`.
    open func refused(on stream: ServerStream, status: UInt16, reason: StaticString) {}

    /// What is under way on `stream` is to be broken off: the process ends.
    open func cut(on stream: ServerStream) {}

    // MARK: of a downstream connection

    /// The connection is gone (reset, closed by its peer between messages, timed out while idle). Its descriptor is closed.
    open func closed(_ connection: any DownstreamConnection) {}

    /// A TLS handshake is over; the connection is to be taken over at once: ``TLSHandshake/take(listenerIdentity:)``.
    open func handshakeEnded(_ handshake: TLSHandshake) {}

    /// A TLS handshake failed, and its connection is closed.
    open func handshakeFailed(_ handshake: TLSHandshake, _ failure: TLSFailure) {}

    /// An HTTP/1.1 connection begins with HTTP/2's preface (RFC 9113, section 3.3). True: its owner has taken it over with
    /// ``HTTP1ServerConnection/take(received:)``.
    open func prefaceReceived(on connection: HTTP1ServerConnection) -> Bool { false }

    // MARK: of an upstream connection

    /// Who waits for a stream to an endpoint gets one.
    open func connected(_ stream: ClientStream) {}

    /// Who waits for a stream to an endpoint gets none.
    open func connectFailed(_ failure: ConnectFailure) {}

    /// A connection is made; to be taken over at once: ``Connector/take()``.
    open func established(_ connector: Connector) {}

    /// A connection could not be made.
    open func failed(_ connector: Connector, _ failure: ConnectFailure) {}

    /// An exchange on this connection is over in order, and it could carry another: the pool may keep it. False: it closes.
    open func returned(_ connection: HTTP1ClientConnection) -> Bool { false }

    /// A pooled connection was closed by its peer, or was idle for too long.
    open func closed(_ connection: HTTP1ClientConnection) {}

    /// The connection is closed, whoever had it: told to its pool, once, within the call that closes it.
    open func ended(_ connection: HTTP1ClientConnection) {}

    /// Further streams may be opened on this connection: others have ended, or its peer allows more.
    open func lanesFreed(_ connection: HTTP2ClientConnection) {}

    /// An HTTP/2 connection to an endpoint is closed; its streams were told.
    open func closed(_ connection: HTTP2ClientConnection) {}
}

/// Why there is no connection to an endpoint.
public enum ConnectFailure: Error {
    case refused(Errno)
    case timedOut
    /// The handshake failed; what OpenSSL or the verification said.
    case tls(String)
}
