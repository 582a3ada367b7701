import AllocationCount
import Core
import Support
import Testing

@testable import TLS

@Suite struct Memory {
    /// What one server's session weighs when it has been used and is idle, OpenSSL's object included.
    @Test(arguments: [
        (ProtocolVersion.tls12, false, 14 * 1024), (.tls13, false, 4 * 1024), (.tls12, true, 20 * 1024),
        (.tls13, true, 6 * 1024),
    ]) func anIdleSessionIsSmall(_ version: ProtocolVersion, _ hasClientCertificate: Bool, _ limit: Int) throws {
        let keys = Resumption.Keys()
        let authority = try TestCertificates.authority()
        let server = try Resumption.server(keys, version: version) {
            $0.parameters.alpn = ["h2", "http/1.1"]
            if hasClientCertificate {
                $0.clientValidation = ClientValidation(mode: .require, authorities: authority.certificate)
            }
        }
        let client = try Made.client {
            $0.parameters.alpn = ["h2", "http/1.1"]
            $0.certificate = try Made.pair(["client.example.com"])
        }
        var held: [TLSSession] = []
        func connect() {
            let wire = Wire(server, client)
            wire.handshake()
            _ = wire.send([1, 2, 3], from: wire.client, to: wire.server)
            _ = wire.send([1, 2, 3], from: wire.server, to: wire.client)
            wire.server.releaseWhenIdle()
            #expect(wire.server.isOpen)
            held.append(wire.server)
        }
        held.reserveCapacity(200)
        // What the library makes once.
        for _ in 0..<10 { connect() }
        let before = live_octets()
        for _ in 0..<100 { connect() }
        let each = Int(live_octets() - before) / 100
        #expect(each <= limit, "\(version.text), client certificate \(hasClientCertificate)")
        withExtendedLifetime(held) {}
    }

    /// A peer that connects and says nothing.
    @Test func aGreetingCostsNextToNothing() throws {
        let context = try Made.server()
        // What the library makes once.
        #expect(TLSSession(server: context).handshake() == .wantsInput)
        let before = live_octets()
        let session = TLSSession(server: context)
        #expect(session.handshake() == .wantsInput)
        #expect(live_octets() - before < 512)
    }

    /// Everything that a connection took comes back.
    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func nothingIsKeptOfAConnection(_ version: ProtocolVersion) throws
    {
        let server = try Resumption.server(Resumption.Keys(), version: version)
        let client = try Made.client()
        func connect(breaking: Bool) {
            let wire = Wire(server, client)
            wire.handshake()
            _ = wire.read(from: wire.server, to: wire.client)
            if breaking {
                wire.server.received.append("\u{17}\u{3}\u{3}\u{0}\u{1}x")
                _ = wire.read(from: wire.client, to: wire.server)
            }
            let again = Wire(server, client, resuming: wire.client.takeResumption())
            again.handshake()
        }
        for round in 0..<20 { connect(breaking: round % 2 == 0) }
        let before = live_octets()
        for round in 0..<200 { connect(breaking: round % 2 == 0) }
        #expect(live_octets() - before < 4_096)
    }
}
