import AllocationCount
import Core
import Support
import Testing

@testable import TLS

@Suite struct Sessions {
    @Test(arguments: [ProtocolVersion.tls12, .tls13], [1, 7, 100_000])
    func plaintextComesThrough(_ version: ProtocolVersion, _ piece: Int) throws {
        let server = try Made.server { $0.parameters.maximumVersion = version }
        let wire = Wire(server, try Made.client(), piece: piece)
        let steps = wire.handshake()
        #expect(steps.server == .done)
        #expect(steps.client == .done)
        #expect(wire.server.protocolVersion == version)
        #expect(wire.client.protocolVersion == version)
        #expect(wire.server.serverName == Array("shop.example.com".utf8))
        #expect(!wire.server.cipherName.isEmpty)
        #expect(!wire.server.isResumed)
        let request = Made.octets(5_000)
        #expect(wire.send(request, from: wire.client, to: wire.server) == request)
        let response = Made.octets(40_000, seed: 2)
        #expect(wire.send(response, from: wire.server, to: wire.client) == response)
        wire.server.closeNotify()
        #expect(wire.read(from: wire.server, to: wire.client).last == .closeNotify)
        #expect(wire.read(from: wire.server, to: wire.client).last == .closeNotify)
        // The other direction is still open.
        #expect(wire.send(request, from: wire.client, to: wire.server) == request)
        #expect("late".withView { wire.server.write($0) } == 0)
    }

    @Test func aBigTransferStaysBelowTheLimit() throws {
        let wire = Wire(try Made.server(), try Made.client())
        wire.handshake()
        let octets = Made.octets(3_000_000)
        let first = octets.withView { wire.server.write($0) }
        #expect(first == 4 * TLSLimits.record)
        #expect(wire.server.pending.count <= TLSLimits.pending)
        #expect(octets.withView { wire.server.write($0) } == 0)
        var read = wire.read(from: wire.server, to: wire.client).octets
        read += wire.send(Array(octets[first...]), from: wire.server, to: wire.client)
        #expect(read == octets)
    }

    @Test func readingStopsWhereTheRoomEnds() throws {
        let wire = Wire(try Made.server(), try Made.client())
        wire.handshake()
        _ = wire.read(from: wire.server, to: wire.client)
        let octets = Made.octets(1_000)
        _ = octets.withView { wire.server.write($0) }
        wire.carry(from: wire.server, to: wire.client)
        var buffer = ByteBuffer(capacity: 300)
        #expect(wire.client.read(into: &buffer) == .octets(300))
        #expect(wire.client.hasUnreadInput)
        #expect(wire.client.hasBufferedInput)
        buffer.reserve(2_000)
        #expect(wire.client.read(into: &buffer) == .octets(700))
        #expect(!wire.client.hasUnreadInput)
        #expect(!wire.client.hasBufferedInput)
        #expect(buffer.view.array == octets)
        #expect(wire.client.read(into: &buffer) == .wantsInput)
    }

    @Test func aHeadAndItsBodyAreOneRecord() throws {
        let wire = Wire(try Made.server(), try Made.client())
        wire.handshake()
        wire.server.pending.clear()
        let taken = "HTTP/1.1 200 OK\r\n\r\n".withView { head in "hello".withView { wire.server.write(head, $0) } }
        #expect(taken == 24)
        let record = wire.server.pending.view
        #expect(Int(record[3]) << 8 | Int(record[4]) == record.count - 5)
        #expect(record[0] == 23)
    }

    @Test(arguments: [ProtocolVersion.tls12, .tls13])
    func aTruncationIsNoEnd(_ version: ProtocolVersion) throws {
        let wire = Wire(try Made.server { $0.parameters.maximumVersion = version }, try Made.client())
        wire.handshake()
        _ = wire.read(from: wire.server, to: wire.client)
        _ = "half".withView { wire.client.write($0) }
        wire.server.inputEnded()
        let (octets, last) = wire.read(from: wire.client, to: wire.server)
        #expect(octets == Array("half".utf8))
        guard case .failed(let failure) = last else {
            Issue.record("\(last)")
            return
        }
        #expect(failure.kind == .truncated)
    }

    @Test func anEndInTheHandshakeIsATruncation() throws {
        let wire = Wire(try Made.server(), try Made.client())
        _ = wire.client.handshake()
        wire.piece = 100
        wire.carry(from: wire.client, to: wire.server)
        #expect(wire.server.handshake() == .wantsInput)
        wire.server.inputEnded()
        guard case .failed(let failure) = wire.server.handshake() else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == .truncated)
    }

    @Test func tamperingIsNoticed() throws {
        let wire = Wire(try Made.server(), try Made.client())
        wire.handshake()
        _ = wire.read(from: wire.server, to: wire.client)
        _ = "secret".withView { wire.client.write($0) }
        var octets = wire.client.pending.view.array
        octets[octets.count - 1] ^= 1
        octets.withView { wire.server.received.append($0) }
        var buffer = ByteBuffer(capacity: 1_000)
        guard case .failed(let failure) = wire.server.read(into: &buffer) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == .protocolError)
        #expect(wire.server.pending.count > 0, "an alert is to be sent")
        #expect("more".withView { wire.server.write($0) } == 0)
        guard case .failed = wire.server.read(into: &buffer) else {
            Issue.record("it went on")
            return
        }
    }

    @Test func plainHTTPIsNotTLS() throws {
        let session = TLSSession(server: try Made.server())
        session.received.append("GET / HTTP/1.1\r\n\r\n")
        guard case .failed(let failure) = session.handshake() else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == .notTLS)
    }

    /// Records both ways, once everything has its size. OpenSSL takes some 20 to 40 octets for the sealing of each record
    /// and the opening of each of TLS 1.3 (its WPACKET); nothing else is taken, and no buffer.
    @Test(arguments: [ProtocolVersion.tls12, .tls13])
    func aRecordAllocatesNoBuffer(_ version: ProtocolVersion) throws {
        let wire = Wire(try Made.server { $0.parameters.maximumVersion = version }, try Made.client())
        wire.handshake()
        _ = wire.read(from: wire.server, to: wire.client)
        var buffer = ByteBuffer(capacity: 4 * TLSLimits.record)
        let octets = Made.octets(20_000)
        var counted: UInt64 = 0
        var blocks: UInt64 = 0
        for round in 0..<20 {
            let before = (allocation_count(), block_allocation_count())
            octets.withView { octets in
                _ = wire.client.write(octets.upTo(500))
                wire.carry(from: wire.client, to: wire.server)
                _ = wire.server.read(into: &buffer)
                buffer.clear()
                _ = wire.server.write(octets.upTo(100), octets.upTo(300))
                _ = wire.server.write(octets)
                wire.carry(from: wire.server, to: wire.client)
                _ = wire.client.read(into: &buffer)
                buffer.clear()
            }
            if round >= 10 {
                counted += allocation_count() - before.0
                blocks += block_allocation_count() - before.1
            }
        }
        #expect(blocks == 0)
        // Ten rounds of four records, each sealed once and opened once.
        #expect(counted <= 10 * 4 * 4)
    }
}
