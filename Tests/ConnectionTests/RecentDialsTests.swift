import Core
import IO
import Testing

@testable import Connection

/// Connections that were made a moment ago are known again by both their addresses, as long as they live.
@Suite final class RecentDialsTests {
    private let listener: OwnedFD
    private let there: SocketAddress

    init() throws {
        listener = try Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0))
        there = try #require(Socket.localAddress(listener.raw))
    }

    @Test func oneThatLivesIsKnown() throws {
        let dials = RecentDials()
        let connected = try Socket.connect(there)
        let here = try #require(Socket.localAddress(connected.raw))
        #expect(!dials.contains(from: here, to: there))
        dials.note(connected.raw, to: there)
        #expect(dials.contains(from: here, to: there))
        #expect(!dials.contains(from: here, to: SocketAddress(ip: there.ip, port: there.port ^ 1)))
        #expect(!dials.contains(from: SocketAddress(ip: here.ip, port: here.port ^ 1), to: there))
    }

    @Test func oneThatIsGoneIsForgotten() throws {
        let dials = RecentDials()
        var here = SocketAddress(ip: .any, port: 0)
        do {
            let connected = try Socket.connect(there)
            here = try #require(Socket.localAddress(connected.raw))
            dials.note(connected.raw, to: there)
        }
        #expect(!dials.contains(from: here, to: there))
    }

    @Test func theLatestAreKept() throws {
        let dials = RecentDials()
        let first = try Socket.connect(there)
        dials.note(first.raw, to: there)
        let second = try Socket.connect(there)
        for _ in 0..<RecentDials.kept { dials.note(second.raw, to: there) }
        #expect(!dials.contains(from: try #require(Socket.localAddress(first.raw)), to: there))
        #expect(dials.contains(from: try #require(Socket.localAddress(second.raw)), to: there))
    }
}
