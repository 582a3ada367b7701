import Connection
import Core
import Glibc
import HTTP
import IO
import Testing

/// A server connection and the raw socket of its client, over loopback, with a loop that is turned by hand.
final class ConnectedPair: ConnectionOwner {
    let resources: ConnectionResources
    private(set) var connection: HTTP1ServerConnection!
    let client: OwnedFD
    /// Requests whose heads were complete.
    private(set) var requests = 0
    private(set) var isClosed = false

    override init() {
        resources = ConnectionResources(loop: EventLoop())
        let listener = try! Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0))
        client = try! Socket.connect(Socket.localAddress(listener.raw)!)
        var small: CInt = 4096
        setsockopt(client.raw, SOL_SOCKET, SO_RCVBUF, &small, socklen_t(MemoryLayout<CInt>.size))
        let accepted = try! Socket.accept(listener.raw)!
        setsockopt(accepted.fd, SOL_SOCKET, SO_SNDBUF, &small, socklen_t(MemoryLayout<CInt>.size))
        super.init()
        connection = HTTP1ServerConnection(
            adopting: OwnedFD(adopting: accepted.fd),
            origin: ConnectionOrigin(peer: accepted.peer, socketID: 0, acceptedAt: resources.loop.now), acceptor: self,
            resources: resources)
        turn()
    }

    deinit { connection.exchangeIfOpen() }

    func turn() { resources.loop.turn(limit: 1) }

    func send(_ text: String) {
        let octets = Array(text.utf8)
        #expect(Glibc.send(client.raw, octets, octets.count, 0) == octets.count)
    }

    /// Octets taken, at most `limit`.
    func receive(_ limit: Int) -> Int {
        var block = [UInt8](repeating: 0, count: limit)
        return max(0, recv(client.raw, &block, limit, 0))
    }

    override func requestReceived(on connection: ServerStream) { requests += 1 }
    override func closed(_ connection: any DownstreamConnection) { isClosed = true }
}

extension HTTP1ServerConnection {
    /// The test is over.
    fileprivate func exchangeIfOpen() { if isOpen { exchangeAborted() } }
}
