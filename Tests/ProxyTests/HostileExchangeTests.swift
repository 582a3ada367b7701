import Core
import Support
import Testing

@testable import Proxy

/// The table of hostile requests over real sockets: what the parser refuses is answered so, the connection closes, and no
/// backend ever sees two readings of it.
@Suite struct HostileExchangeTests {
    @Test func everyCaseEndsAsTheTableSays() throws {
        let harness = try WorkerHarness()
        var backends: [RawSocket] = []
        #expect(HostileRequests.all.count >= 150)
        // The parser alone refuses HTTP/2's preface; a connection that begins with it is served as one of HTTP/2.
        for hostile in HostileRequests.all where hostile.expectedStatus != 505 || !hostile.name.contains("preface") {
            let client = try harness.connect()
            var sent = 0
            var answered = Set<ObjectIdentifier>()
            try harness.until("an answer to \(hostile.name), has '\(client.received.prefix(60))'") {
                if sent < hostile.octets.count { sent += client.send(Array(hostile.octets[sent...])) }
                if let backend = try harness.tryAcceptBackend() { backends.append(backend) }
                for backend in backends {
                    backend.receive()
                    if backend.received.contains("\r\n\r\n"), answered.insert(ObjectIdentifier(backend)).inserted,
                        hostile.expectedStatus == nil
                    {
                        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    }
                }
                client.receive()
                return client.received.hasPrefix("HTTP/1.1 ") && client.received.contains("\r\n\r\n")
            }
            let status = UInt16(client.received.dropFirst(9).prefix(3)) ?? 0
            if let expected = hostile.expectedStatus {
                #expect(status == expected, "\(hostile.name)")
                client.finish()
                harness.expectEnd(client)
            } else {
                // Legal, so it is served; CONNECT is legal but not ours to serve, and an escaped slash is redirected.
                #expect([200, 307, 404, 501].contains(status), "\(hostile.name): \(status)")
            }
            for backend in backends { backend.forget() }
            backends.removeAll { $0.ended }
        }
    }
}
