import Core
import Support
import Testing

@testable import TLS

@Suite struct Resumption {
    /// Ticket keys as an owner would keep them, newest first.
    final class Keys {
        var all: [[UInt8]] = []
        private var random = SeededRandom(seed: 42)

        init() { rotate() }

        func rotate() {
            all.insert((0..<TicketKey.octets).map { _ in UInt8(truncatingIfNeeded: random.next()) }, at: 0)
            if all.count > TicketKeys.most { all.removeLast() }
        }

        var current: TicketKeys { all.flatMap { $0 }.withView { TicketKeys($0) } }
    }

    static func server(
        _ keys: Keys, version: ProtocolVersion = .tls13, scope: String = "a",
        _ change: (inout ServerTLSSettings) throws -> Void = { _ in }
    ) throws -> TLSContext {
        try Made.server([Made.pair(["shop.example.com", "other.example.com"])]) { settings in
            settings.parameters.maximumVersion = version
            settings.ticketKeys = { keys.current }
            settings.ticketScope = scope
            try change(&settings)
        }
    }

    /// A connection that exchanges a few octets; what it leaves for the next one.
    static func connect(
        _ server: TLSContext, _ client: TLSContext, name: String = "shop.example.com", resuming: TLSResumption? = nil
    ) -> (resumed: Bool, next: TLSResumption?) {
        let wire = Wire(server, client, name: name, resuming: resuming)
        let steps = wire.handshake()
        #expect(steps.server == .done)
        #expect(steps.client == .done)
        #expect(wire.send([1, 2, 3], from: wire.server, to: wire.client) == [1, 2, 3])
        #expect(wire.server.isResumed == wire.client.isResumed)
        return (wire.server.isResumed, wire.client.takeResumption())
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func aSessionGoesOn(_ version: ProtocolVersion) throws {
        let keys = Keys()
        let (server, client) = (try Self.server(keys, version: version), try Made.client())
        let first = Self.connect(server, client)
        #expect(!first.resumed)
        let ticket = try #require(first.next)
        #expect(ticket.isSingleUse == (version == .tls13))
        #expect(Self.connect(server, client, resuming: ticket).resumed)
        #expect(ticket.canBeUsed == (version == .tls12))
        // Another worker: a context of its own, the same keys.
        let second = Self.connect(
            try Self.server(keys, version: version), client, resuming: Self.connect(server, client).next)
        #expect(second.resumed)
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func keysRotate(_ version: ProtocolVersion) throws {
        let keys = Keys()
        let (server, client) = (try Self.server(keys, version: version), try Made.client())
        for rotations in 0...3 {
            let ticket = try #require(Self.connect(server, client).next)
            for _ in 0..<rotations { keys.rotate() }
            let again = Self.connect(server, client, resuming: ticket)
            #expect(again.resumed == (rotations < 3), "\(rotations) rotations")
            // Whatever happened, the client leaves with a ticket of the newest key.
            if rotations > 0 {
                keys.rotate()
                keys.rotate()
                #expect(Self.connect(server, client, resuming: try #require(again.next)).resumed)
            }
        }
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func itStaysUnderItsName(_ version: ProtocolVersion) throws {
        let keys = Keys()
        let server = try Self.server(keys, version: version)
        let client = try Made.client(hostname: "")
        let ticket = try #require(Self.connect(server, client).next)
        // Our own client would not do it; another's shows the ticket under another name.
        let wire = Wire(server, client, name: "other.example.com")
        wire.client.resume(ticket.session)
        #expect(wire.handshake().server == .done)
        #expect(!wire.server.isResumed)
        #expect(wire.send([1], from: wire.client, to: wire.server) == [1])
    }

    @Test func ourClientKeepsNamesAndSettingsApart() throws {
        let keys = Keys()
        let server = try Self.server(keys)
        let client = try Made.client(hostname: "")
        let ticket = try #require(Self.connect(server, client).next)
        #expect(!Self.connect(server, client, name: "other.example.com", resuming: ticket).resumed)
        #expect(!Self.connect(server, try Made.client(hostname: ""), resuming: ticket).resumed)
        #expect(Self.connect(server, client, resuming: ticket).resumed)
        #expect(!Self.connect(server, client, resuming: ticket).resumed, "a TLS 1.3 ticket serves once")
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13])
    func itStaysUnderItsListenerAndItsRules(_ version: ProtocolVersion) throws {
        let keys = Keys()
        let server = try Self.server(keys, version: version)
        let client = try Made.client()
        for other in [
            try Self.server(keys, version: version, scope: "b"),
            try Self.server(keys, version: version) {
                $0.clientValidation = ClientValidation(
                    mode: .unverified, authorities: try TestCertificates.authority().certificate)
            },
        ] {
            let ticket = Self.connect(server, client).next
            #expect(!Self.connect(other, client, resuming: ticket).resumed)
        }
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func withoutKeysThereAreNoTickets(_ version: ProtocolVersion)
        throws
    {
        let server = try Made.server { $0.parameters.maximumVersion = version }
        let client = try Made.client()
        let first = Self.connect(server, client)
        #expect(first.next == nil)
        #expect(!Self.connect(server, client, resuming: first.next).resumed)
    }

    @Test func oneTicketAHandshake() throws {
        let wire = Wire(try Self.server(Keys()), try Made.client())
        _ = wire.client.handshake()
        wire.carry(from: wire.client, to: wire.server)
        _ = wire.server.handshake()
        wire.carry(from: wire.server, to: wire.client)
        #expect(wire.client.handshake() == .done)
        wire.carry(from: wire.client, to: wire.server)
        #expect(wire.server.handshake() == .done)
        // What follows the client's Finished is tickets, one a record.
        let record = wire.server.pending.view
        #expect(Int(record[3]) << 8 | Int(record[4]) == record.count - 5)
    }

    /// A client's certificate is remembered with the session.
    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func factsAboutThePeerGoOn(_ version: ProtocolVersion) throws {
        let authority = try TestCertificates.authority()
        let server = try Self.server(Keys(), version: version) {
            $0.clientValidation = ClientValidation(mode: .require, authorities: authority.certificate)
        }
        let pair = try authority.issue(names: ["URI:spiffe://cluster/ns/a"], subject: "/CN=a")
        let client = try Made.client {
            $0.certificate = KeyPairSettings(chain: pair.chain, key: pair.key)
        }
        let first = Wire(server, client)
        first.handshake()
        _ = first.read(from: first.server, to: first.client)
        let second = Wire(server, client, resuming: first.client.takeResumption())
        #expect(second.handshake().server == .done)
        #expect(second.server.isResumed)
        let facts = try #require(second.server.peerCertificate())
        #expect(facts.uris == ["spiffe://cluster/ns/a"])
        #expect(facts.problem == nil)
        #expect(facts == first.server.peerCertificate())
    }
}
