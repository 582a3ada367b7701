import Core
import IO

/// The connections that were made last: by these one of them is known again that the kernel has brought back here, because
/// the rules of interception do not leave this gateway's own alone.
///
/// Limit: ``kept``; one that comes back does so at once.
public final class RecentDials {
    static let kept = 256

    private struct Dial {
        var fd: CInt
        var local: SocketAddress
        var peer: SocketAddress
    }

    private var dials: [Dial] = []
    private var next = 0

    public init() { dials.reserveCapacity(Self.kept) }

    /// Keeps a connection that is being made: its address is known, although its peer may not have answered.
    public func note(_ fd: CInt, to peer: SocketAddress) {
        guard let local = Socket.localAddress(fd) else { return }
        let dial = Dial(fd: fd, local: local, peer: peer)
        if dials.count < Self.kept { dials.append(dial) } else { dials[next] = dial }
        next = (next + 1) % Self.kept
    }

    /// Whether a connection from `client` to `destination` is one of these, and lives. The kernel has one connection at most
    /// from an address and port to another.
    public func contains(from client: SocketAddress, to destination: SocketAddress) -> Bool {
        for dial in dials where dial.local == client && dial.peer == destination {
            // The number may be that of another socket by now, and the port somebody else's.
            if Socket.localAddress(dial.fd) == client, Socket.peerAddress(dial.fd) == destination { return true }
        }
        return false
    }
}
