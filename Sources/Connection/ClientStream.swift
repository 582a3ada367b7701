import Core
import HTTP
import IO

/// The upstream side of an exchange: a request goes out, its response comes in.
open class ClientStream: MessageStream {
    public final unowned(unsafe) var owner: ConnectionOwner
    /// The endpoint's address.
    public final let peer: SocketAddress
    /// Set from the first octet of a response until its head is used.
    public final internal(set) var response: ResponseMessage?
    /// Requests that its connection carried before the present one.
    public final internal(set) var served = 0
    /// What the trailers of the response said of a call of gRPC; nil: nothing, or they are still to come.
    public final internal(set) var grpcStatus: UInt8?

    /// What the request says in `:scheme`, where there is such a field; nil: that of its own transport.
    public final var requestScheme: Scheme?

    init(peer: SocketAddress, owner: ConnectionOwner, resources: ConnectionResources) {
        self.peer = peer
        self.owner = owner
        super.init(resources: resources)
    }

    public enum HeadEvent {
        case complete, waiting, endOfFile, failed
        case refused(HeadRefusal)
    }

    /// Reads on until a response's head is complete: `response` then holds it, its octets are ``headBytes``.
    open func readHead(for method: Method) -> HeadEvent { preconditionFailure("an abstract stream") }

    /// The octets that the head's offsets count from. Valid until ``dropHead()``.
    public final var headBytes: ByteView { input.view.upTo(response?.head.length ?? 0) }

    /// The head was used; what follows it in the input is the body, or the next head after a 1xx.
    public final func dropHead() {
        guard let message = response.take() else { preconditionFailure("no head to drop") }
        input.consume(message.head.length)
        resources.giveBack(message)
    }

    /// Whether the request may have been processed although nothing of a response came: false lets it be sent again
    /// whatever its method (RFC 9113, section 8.7).
    open var mayHaveBeenProcessed: Bool { true }

    /// The exchange is over in order: whatever can carry another one is kept. `keeps`: the response allows it.
    /// The owner gives the stream up with this call.
    open func release(keeps: Bool) { preconditionFailure("an abstract stream") }

    /// Gives the stream up in the middle: what is on it belongs to an exchange that broke off.
    open func close() { preconditionFailure("an abstract stream") }
}
