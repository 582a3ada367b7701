import Core
import Glibc
import HTTP
import IO
import Support
import TLS
import Testing

@testable import Connection

/// A server connection inside of TLS, its client's half of the session, and a socket between them. The handshake is over.
final class TLSPair: ConnectionOwner {
    let resources = ConnectionResources(loop: EventLoop())
    private(set) var connection: HTTP1ServerConnection!
    let client: TLSSession
    let socket: OwnedFD
    private(set) var requests = 0
    private(set) var isClosed = false
    /// The client's socket has ended.
    private(set) var hasEnded = false

    init(_ version: ProtocolVersion) throws {
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        var settings = ServerTLSSettings(
            certificates: [KeyPairSettings(name: "shop", chain: pair.chain, key: pair.key)])
        settings.parameters.maximumVersion = version
        let server = TLSSession(server: try TLSContext(server: settings))
        client = TLSSession(
            client: try TLSContext(
                client: ClientTLSSettings(
                    trust: .authorities(try TestCertificates.authority().certificate), hostname: "shop.example.com")),
            serverName: "shop.example.com")
        var isDone = false
        while !isDone {
            let (ours, theirs) = (client.handshake(), server.handshake())
            isDone = ours == .done && theirs == .done
            Self.carry(&client.pending, &server.received)
            Self.carry(&server.pending, &client.received)
        }
        var ends: [CInt] = [0, 0]
        #expect(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        socket = OwnedFD(adopting: ends[0])
        super.init()
        resources.loop.add(ends[1], EventSource())
        connection = HTTP1ServerConnection(
            taking: ends[1], tls: TLSChannel(server), received: ByteBuffer(),
            origin: ConnectionOrigin(
                peer: SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 1), socketID: 0,
                acceptedAt: resources.loop.now), acceptor: self, resources: resources)
        connection.ready(.anyTransfer)
        turn()
    }

    deinit { if connection.isOpen { connection.exchangeAborted() } }

    private static func carry(_ from: inout ByteBuffer, _ to: inout ByteBuffer) {
        to.append(from.view)
        from.clear()
    }

    func turn() { for _ in 0..<5 { resources.loop.turn(limit: 1) } }

    /// What the client has encrypted, and octets in clear behind it, in one piece.
    func send(andThen rest: [UInt8] = []) {
        let octets = client.pending.view.array + rest
        client.pending.clear()
        #expect(Glibc.send(socket.raw, octets, octets.count, Int32(MSG_NOSIGNAL)) == octets.count)
    }

    func request(_ text: String = "GET / HTTP/1.1\r\nHost: h\r\n\r\n") { _ = text.withView { client.write($0) } }

    /// What has come, and what the session says at its end.
    func read() -> (text: String, last: TLSSession.ReadStep) {
        var octets: [UInt8] = []
        var plain = ByteBuffer(capacity: 64 * 1024)
        while true {
            switch client.read(into: &plain) {
            case .octets:
                octets += plain.view.array
                plain.clear()
            case .wantsInput:
                var block = [UInt8](repeating: 0, count: 64 * 1024)
                let count = recv(socket.raw, &block, block.count, 0)
                guard count > 0 else {
                    hasEnded = count == 0 || errno != EAGAIN
                    return (String(decoding: octets, as: UTF8.self), .wantsInput)
                }
                block[0..<count].withUnsafeBufferPointer {
                    client.received.append(ByteView($0.baseAddress, count: count))
                }
            case let end: return (String(decoding: octets, as: UTF8.self), end)
            }
        }
    }

    override func requestReceived(on connection: ServerStream) { requests += 1 }
    override func closed(_ connection: any DownstreamConnection) { isClosed = true }
}

@Suite("HTTP/1.1 connections inside of TLS") struct TLSConnectionTests {
    static let versions: [ProtocolVersion] = [.tls12, .tls13]

    /// What the peer broke is behind its request: the response has nowhere to go, and that must show.
    @Test(arguments: versions) func aSessionThatHasFailedTakesNothing(_ version: ProtocolVersion) throws {
        let pair = try TLSPair(version)
        pair.request()
        pair.send(andThen: [23, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20))
        pair.turn()
        #expect(pair.requests == 1)
        let connection: HTTP1ServerConnection = pair.connection
        connection.output.append("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        connection.headWritten(framing: .length(remaining: 100_000))
        let body = [UInt8](repeating: 1, count: 100_000)
        var written = 0
        for _ in 0..<100 where connection.failure == nil && written < body.count {
            written += body.withView { connection.write(body: $0.from(written)) }
            if connection.mayRead, connection.fill() == .more { Issue.record("octets came out of a broken session") }
        }
        #expect(connection.failure != nil)
    }

    @Test(arguments: versions) func aCloseNotifyInTheSameOctetsIsHeard(_ version: ProtocolVersion) throws {
        let pair = try TLSPair(version)
        pair.request()
        pair.client.closeNotify()
        pair.send()
        pair.turn()
        #expect(pair.requests == 1)
        let connection: HTTP1ServerConnection = pair.connection
        connection.output.append("HTTP/1.1 204 No Content\r\n\r\n")
        connection.headWritten(framing: OutgoingFraming.none)
        #expect(connection.flush())
        connection.exchangeEnded()
        // Its socket says nothing: the client waits for our close_notify, not for a FIN.
        #expect(pair.isClosed)
        let answer = pair.read()
        #expect(answer.text == "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(answer.last == .closeNotify)
    }

    /// A body that ends with the connection must not look whole (RFC 9112, section 9.8).
    @Test(arguments: versions) func whatBreaksOffHasNoCloseNotify(_ version: ProtocolVersion) throws {
        let pair = try TLSPair(version)
        pair.request("GET / HTTP/1.0\r\nHost: h\r\n\r\n")
        pair.send()
        pair.turn()
        let connection: HTTP1ServerConnection = pair.connection
        connection.output.append("HTTP/1.1 200 OK\r\n\r\nhalf of it")
        connection.headWritten(framing: .untilClose)
        #expect(connection.flush())
        connection.exchangeAborted()
        #expect(pair.isClosed)
        let answer = pair.read()
        #expect(answer.text.hasSuffix("half of it"))
        #expect(answer.last == .wantsInput)
        #expect(pair.hasEnded)
    }
}
