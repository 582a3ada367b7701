import COpenSSL
import Core
import Support
import Testing

@testable import TLS

/// The records after a TLS 1.3 handshake, against OpenSSL on the other side (RFC 8446, section 5).
@Suite struct Records {
    static func open(
        suite: String = "TLS_AES_128_GCM_SHA256", piece: Int = .max, tickets: Bool = true
    ) throws -> Wire {
        let keys = Resumption.Keys()
        let server = try Made.server {
            $0.parameters.cipherSuites = [suite]
            if tickets { $0.ticketKeys = { keys.current } }
        }
        let wire = Wire(server, try Made.client(), piece: piece)
        #expect(wire.handshake().server == .done)
        #expect(wire.server.records != nil)
        #expect(wire.server.ssl == nil)
        #expect(wire.server.cipherName.string == suite)
        return wire
    }

    static let suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]

    @Test(arguments: suites, [true, false]) func everySizeComesThrough(_ suite: String, _ tickets: Bool) throws {
        let wire = try Self.open(suite: suite, tickets: tickets)
        for size in [1, 2, 15, 16, 17, 255, 1_000, 16_383, 16_384, 16_385, 50_000, 200_000] {
            let octets = Made.octets(size, seed: UInt64(size))
            #expect(wire.send(octets, from: wire.client, to: wire.server) == octets)
            #expect(wire.send(octets, from: wire.server, to: wire.client) == octets)
        }
        wire.client.closeNotify()
        #expect(wire.read(from: wire.client, to: wire.server).last == .closeNotify)
        #expect(wire.read(from: wire.client, to: wire.server).last == .closeNotify)
        #expect(wire.send([1], from: wire.server, to: wire.client) == [1])
        wire.server.closeNotify()
        #expect(wire.read(from: wire.server, to: wire.client).last == .closeNotify)
    }

    /// Chance decides how octets are cut on the wire, how much is written at once, and how large the reader's buffer is.
    @Test(arguments: Array(UInt64(1)...20)) func anyCutsAndAnyRoom(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let wire = try Self.open(suite: Self.suites.randomElement(using: &random)!)
        sluice_pad(try #require(wire.client.ssl), Bool.random(using: &random) ? 128 : 0)
        let octets = Made.octets(150_000, seed: seed)
        var (sent, read) = (0, [UInt8]())
        while read.count < octets.count {
            wire.piece = Int.random(in: 1...20_000, using: &random)
            if sent < octets.count, wire.client.pending.isEmpty {
                let count = min(octets.count - sent, Int.random(in: 1...30_000, using: &random))
                sent += octets.withView { wire.client.write($0[sent..<(sent + count)]) }
            }
            wire.carry(from: wire.client, to: wire.server)
            var buffer = ByteBuffer(capacity: Int.random(in: 1...20_000, using: &random))
            let step = wire.server.read(into: &buffer)
            read += buffer.view.array
            switch step {
            case .octets(let count): #expect(count == buffer.count, "seed \(seed)")
            case .wantsInput: break
            case .closeNotify, .failed:
                Issue.record("seed \(seed): \(step)")
                return
            }
            while wire.server.hasUnreadInput {
                buffer.clear()
                guard case .octets = wire.server.read(into: &buffer) else { break }
                read += buffer.view.array
            }
        }
        #expect(read == octets, "seed \(seed)")
        #expect(!wire.server.hasBufferedInput)
    }

    @Test(arguments: suites) func keysAreUpdatedBothWays(_ suite: String) throws {
        let wire = try Self.open(suite: suite)
        let ssl = try #require(wire.client.ssl)
        for round in 0..<5 {
            let kind = round % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED
            #expect(SSL_key_update(ssl, kind) == 1)
            #expect(SSL_do_handshake(ssl) == 1)
            let octets = Made.octets(20_000, seed: UInt64(round))
            #expect(wire.send(octets, from: wire.client, to: wire.server) == octets)
            #expect(wire.send(octets, from: wire.server, to: wire.client) == octets)
        }
    }

    @Test func weTakeNewKeysInTime() throws {
        let wire = try Self.open()
        wire.server.records?.recordsBeforeUpdate = 4
        for round in 0..<30 {
            let octets = Made.octets(100 + round)
            #expect(wire.send(octets, from: wire.server, to: wire.client) == octets)
        }
    }

    @Test func keyUpdatesWithoutDataComeToAnEnd() throws {
        let wire = try Self.open()
        let ssl = try #require(wire.client.ssl)
        for _ in 0..<100 {
            _ = SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED)
            _ = SSL_do_handshake(ssl)
        }
        guard case .failed(let failure) = wire.read(from: wire.client, to: wire.server).last else {
            Issue.record("it went on")
            return
        }
        #expect(failure.kind == .protocolError)
        #expect(wire.server.pending.count < 4_096)
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13]) func whatComesBehindOctetsIsAnnounced(
        _ version: ProtocolVersion
    ) throws {
        for isBroken in [false, true] {
            let wire = Wire(try Made.server { $0.parameters.maximumVersion = version }, try Made.client())
            wire.handshake()
            _ = "text".withView { wire.client.write($0) }
            if isBroken {
                wire.client.pending.append("\u{17}\u{3}\u{3}\u{0}\u{14}aaaaaaaaaaaaaaaaaaaa")
            } else {
                wire.client.closeNotify()
            }
            wire.carry(from: wire.client, to: wire.server)
            var buffer = ByteBuffer(capacity: 1_000)
            #expect(wire.server.read(into: &buffer) == .octets(4))
            #expect(wire.server.hasUnreadInput)
            let last = wire.server.read(into: &buffer)
            if isBroken {
                #expect(last == .failed(try #require(wire.server.failure)))
            } else {
                #expect(last == .closeNotify)
            }
        }
    }

    /// Nothing comes behind our close_notify, whatever the peer asks for (RFC 8446, section 6.1).
    @Test func theCloseNotifyIsTheLastWord() throws {
        let wire = try Self.open()
        wire.server.closeNotify()
        #expect(wire.read(from: wire.server, to: wire.client).last == .closeNotify)
        let ssl = try #require(wire.client.ssl)
        #expect(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
        #expect(SSL_do_handshake(ssl) == 1)
        #expect(wire.send([1, 2], from: wire.client, to: wire.server) == [1, 2])
        wire.server.received.append("\u{17}\u{3}\u{3}\u{0}\u{14}aaaaaaaaaaaaaaaaaaaa")
        guard case .failed = wire.read(from: wire.client, to: wire.server).last else {
            Issue.record("a broken record was taken")
            return
        }
        #expect(wire.server.pending.count == 0)
    }

    /// What is done to the first record of the client, and what is said.
    static let tampering: [(String, @Sendable (inout [UInt8]) -> Void)] = [
        ("a record was changed on its way", { $0[$0.count - 1] ^= 1 }),
        ("a record was changed on its way", { $0[5] ^= 0x80 }),
        ("a record was changed on its way", { $0[1] = 2 }),
        ("a record in the clear after the handshake", { $0[0] = 22 }),
        ("a record in the clear after the handshake", { $0 = [20, 3, 3, 0, 1, 1] }),
        ("a record in the clear after the handshake", { $0 = [21, 3, 3, 0, 2, 1, 0] }),
        ("a record is too small", { ($0[3], $0[4]) = (0, 16) }), ("a record is too small", { ($0[3], $0[4]) = (0, 0) }),
        ("a record is too large", { ($0[3], $0[4]) = (0x41, 1) }),
        // A record twice, and one left out.
        ("a record was changed on its way", { $0 += $0 }),
        ("a record was changed on its way", { $0.removeFirst(5 + 4 + 17) }),
    ]

    @Test(arguments: tampering) func tamperingIsNoticed(
        _ row: (text: String, change: @Sendable (inout [UInt8]) -> Void)
    ) throws {
        let wire = try Self.open()
        _ = wire.read(from: wire.server, to: wire.client)
        for text in ["one.", "two."] { _ = text.withView { wire.client.write($0) } }
        var octets = wire.client.pending.view.array
        wire.client.pending.clear()
        row.change(&octets)
        octets.withView { wire.server.received.append($0) }
        let (read, last) = wire.read(from: wire.client, to: wire.server)
        #expect(["", "one.", "one.two."].contains(String(decoding: read, as: UTF8.self)))
        #expect(last == .failed(TLSFailure(.protocolError, row.text)))
        // The client hears of it, under the right keys.
        guard case .failed(let heard) = wire.read(from: wire.server, to: wire.client).last, case .alert = heard.kind
        else {
            Issue.record("no alert came")
            return
        }
        #expect([1].withView { wire.server.write($0) } == 0)
        wire.server.closeNotify()
        #expect(wire.server.pending.count == 0)
    }

    @Test func alertsAreHeard() throws {
        let wire = try Self.open()
        _ = wire.read(from: wire.server, to: wire.client)
        // The client is told nonsense and says so.
        wire.client.received.append("\u{17}\u{3}\u{3}\u{0}\u{14}aaaaaaaaaaaaaaaaaaaa")
        var buffer = ByteBuffer(capacity: 100)
        _ = wire.client.read(into: &buffer)
        guard case .failed(let failure) = wire.read(from: wire.client, to: wire.server).last else {
            Issue.record("nothing was heard")
            return
        }
        #expect(failure.kind == .alert(20))
        #expect(failure.text == "the peer sent the alert 'bad record mac'")
    }

    @Test func mutatedRecordsDoNoHarm() throws {
        var random = SeededRandom(seed: 7)
        for _ in 0..<300 {
            let wire = try Self.open(tickets: false)
            _ = Made.octets(3_000).withView { wire.client.write($0) }
            var octets = wire.client.pending.view.array
            ClientHellos.mutate(&octets, using: &random)
            octets.withView { wire.server.received.append($0) }
            var buffer = ByteBuffer(capacity: Int.random(in: 1...4_000, using: &random))
            _ = wire.server.read(into: &buffer)
            #expect(wire.server.pending.count < 1_000)
        }
    }
}
