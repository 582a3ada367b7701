import Core
import HTTP
import IO

/// What is left of a downstream connection when its socket goes on to speak something else.
extension HTTP1ServerConnection {
    /// The socket, still registered with the loop, and what was read from it: another protocol is spoken on it.
    public func take(received: inout ByteBuffer) -> CInt {
        precondition(phase == .head && served == 0, "only a connection that has served nothing can be taken")
        resources.loop.clearDeadline(self)
        if let request = request.take() { resources.giveBack(request) }
        phase = .closed
        swap(&received, &input)
        return wire.take()
    }

    /// The socket, still registered with the loop, after the answer to a CONNECT: what is inside is a connection of its own.
    /// - Parameter received: what came behind the request's head.
    /// - Returns: nil: the octets on the socket are not the tunnel's alone (TLS), or its answer is not sent yet.
    public func takeTunnel(received: inout ByteBuffer) -> CInt? {
        precondition(phase == .exchange, "a tunnel begins with an exchange")
        guard wire.tls == nil, output.isEmpty, failure == nil else { return nil }
        resources.loop.clearDeadline(self)
        if let request = request.take() { resources.giveBack(request) }
        owner = acceptor
        phase = .closed
        resources.buffers.reclaim(&output)
        spliceable = -1
        swap(&received, &input)
        return wire.take()
    }
}
