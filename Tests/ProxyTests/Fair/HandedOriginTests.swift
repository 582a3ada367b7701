import Connection
import Core
import IO
import Testing

@testable import Proxy

/// What one worker tells another of where a call came from.
@Suite struct HandedOriginTests {
    private func passed(_ origin: ConnectionOrigin, to harness: WorkerHarness, listener: SocketAddress)
        -> ConnectionOrigin?
    {
        var octets = ByteBuffer()
        HandedOrigin.write(origin, listener: listener, to: &octets)
        guard case .complete(let header) = ProxyHeader.parse(octets.view) else { return nil }
        var read = ConnectionOrigin(peer: SocketAddress(ip: .any, port: 0), socketID: 0, acceptedAt: harness.loop.now)
        let isKnown = HandedOrigin.read(header, octets.view, into: &read, harness.worker)
        return isKnown ? read : nil
    }

    @Test func peerListenerCallerAndDestinationArrive() throws {
        let harness = try WorkerHarness()
        let listener = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: harness.port)
        let peer = SocketAddress(ip: IPAddress(v4: 10, 1, 2, 3), port: 4567)
        var origin = ConnectionOrigin(peer: peer, socketID: WorkerHarness.socketID, acceptedAt: harness.loop.now)
        let plain = try #require(passed(origin, to: harness, listener: listener))
        #expect(plain.peer == peer && plain.socketID == WorkerHarness.socketID)
        // Nobody asks the policies again who cannot know the handshake.
        #expect(plain.wasPermitted && !origin.wasPermitted)
        #expect(plain.caller == nil && plain.destination == nil)
        origin.caller = Caller(
            principal: Array("cluster.local/ns/shop/sa/cart".utf8), namespace: Array("shop".utf8),
            name: Array("cart".utf8),
            flow: .max - 1)
        origin.groupIdentity = .max - 2
        origin.destination = .authority(host: Array("price.shop".utf8), port: 8080)
        let told = try #require(passed(origin, to: harness, listener: listener))
        #expect(told.caller?.principal == origin.caller?.principal && told.caller?.flow == .max - 1)
        #expect(told.caller?.namespace == Array("shop".utf8) && told.caller?.name == Array("cart".utf8))
        #expect(plain.groupIdentity == 0 && told.groupIdentity == .max - 2)
        guard case .authority(let host, 8080) = told.destination else {
            Issue.record("\(String(describing: told.destination))")
            return
        }
        #expect(host == Array("price.shop".utf8))
        origin.wasHandedOn = true
        let again = try #require(passed(origin, to: harness, listener: listener))
        #expect(again.isHandedOn && !told.isHandedOn)
        let dialled = SocketAddress(ip: IPAddress(v4: 10, 96, 0, 7), port: 443)
        origin.destination = .address(dialled)
        guard case .address(dialled) = passed(origin, to: harness, listener: listener)?.destination else {
            Issue.record("the dialled address is lost")
            return
        }
    }

    @Test func aListenerThatIsNotThereIsNobodys() throws {
        let harness = try WorkerHarness()
        let origin = ConnectionOrigin(
            peer: SocketAddress(ip: IPAddress(v4: 10, 1, 2, 3), port: 4567), socketID: 1, acceptedAt: harness.loop.now)
        #expect(passed(origin, to: harness, listener: SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 1)) == nil)
    }
}
