import Connection
import Core
import Glibc
import IO
import Testing

/// A peer that stops in the middle keeps its place for a while only.
@Suite struct LocalServerTests {
    private final class Echo: LocalServer {
        override func respond(to exchange: LocalExchange) {
            var body = ByteBuffer()
            body.append(string: String(repeating: "x", count: 8_000_000))
            exchange.respond(status: 200, contentType: "text/plain", body: body)
        }
    }

    /// Nothing is missing of the second but that somebody reads its answer.
    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]) func whoNeitherSendsNorReadsIsGivenUp(request: String) throws {
        let loop = EventLoop()
        let listener = try Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0))
        let server = Echo(
            listener: listener.raw, resources: ConnectionResources(loop: loop), bodies: .collected(limit: 100))
        server.patience = .milliseconds(30)
        let client = try Socket.connect(try #require(Socket.localAddress(listener.raw)))
        let octets = Array(request.utf8)
        #expect(send(client.raw, octets, octets.count, 0) == octets.count)
        for _ in 0..<1000 where server.openExchanges == 0 { loop.turn(limit: 2) }
        #expect(server.openExchanges == 1)
        for _ in 0..<1000 where server.openExchanges > 0 { loop.turn(limit: 2) }
        #expect(server.openExchanges == 0)
        server.stopAccepting()
    }
}
