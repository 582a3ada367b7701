import IO

/// Who is told what happens on a connection: a proxied exchange, a pool, an admin page, `echo`.
///
/// The one callback in the house. A connection never reads or writes on its own account while a message is under way: it
/// says that it could, and its owner pulls and pushes; so back-pressure needs no switch.
open class ConnectionOwner: Timed {
    /// A request's head is complete: `connection.request`. The owner may hand the connection to another owner.
    open func requestReceived(on connection: HTTP1ServerConnection) {}

    /// Octets, or the peer's end, may be waiting to be read.
    open func readable(_ connection: HTTP1Connection) {}

    /// The socket takes octets again after it had refused some.
    open func writable(_ connection: HTTP1Connection) {}

    /// The connection is gone (reset, closed by its peer between messages, timed out while idle). Its descriptor is closed.
    open func closed(_ connection: HTTP1Connection) {}

    /// A client connection is established (nil) or could not be.
    open func connected(_ connection: HTTP1ClientConnection, error: Errno?) {}

    /// A head that the strict parser refused, or that came too late, was answered on `connection`, which will close.
    open func refused(on connection: HTTP1ServerConnection, status: UInt16, reason: StaticString) {}
}
