import Core
import Glibc
import Support
import Testing

@testable import IO

@Suite struct SocketTests {
    private static let loopback = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0)

    @Test(arguments: ["127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"])
    func listensAndAccepts(text: String) throws {
        let listener = try Socket.listen(try #require(SocketAddress(text)))
        let bound = try #require(Socket.localAddress(listener.raw))
        #expect(bound.port != 0)
        #expect(try Socket.accept(listener.raw) == nil)
        let target = SocketAddress(ip: bound.ip.isAny ? Self.loopback.ip : bound.ip, port: bound.port)
        let client = try Socket.connect(target)
        var question = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        #expect(poll(&question, 1, 5_000) == 1)
        let accepted = try #require(try Socket.accept(listener.raw))
        let fd = OwnedFD(adopting: accepted.fd)
        // IPv4 over the dual-stack wildcard is shown as IPv4.
        #expect(accepted.peer == Socket.localAddress(client.raw))
        #expect(fcntl(fd.raw, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(fd.raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func aRefusedConnectionIsAPendingError() throws {
        let port = try Ports.free()
        let fd = try Socket.connect(SocketAddress(ip: Self.loopback.ip, port: port))
        var question = pollfd(fd: fd.raw, events: Int16(POLLOUT), revents: 0)
        #expect(poll(&question, 1, 5_000) == 1)
        #expect(Socket.pendingError(fd.raw) == Errno(ECONNREFUSED))
        #expect(Socket.pendingError(fd.raw) == nil)
    }

    @Test func workersShareAPortAndStrangersSeeTheConflict() throws {
        let first = try Socket.listen(Self.loopback)
        let address = try #require(Socket.localAddress(first.raw))
        let second = try Socket.listen(address)
        #expect(Socket.localAddress(second.raw) == address)
        #expect(Socket.conflict(address) == Errno(EADDRINUSE))
        #expect(Socket.conflict(SocketAddress(ip: .any, port: address.port)) == Errno(EADDRINUSE))
    }

    @Test func anAddressThatIsNotOursIsAnError() throws {
        #expect(throws: Errno(EADDRNOTAVAIL)) {
            _ = try Socket.listen(SocketAddress(ip: IPAddress(v4: 192, 0, 2, 1), port: 1)).raw
        }
    }

    @Test func aPathTooLongIsAnError() throws {
        #expect(throws: Errno(ENAMETOOLONG)) {
            _ = try Socket.listen(path: String(repeating: "x", count: 108)).raw
        }
    }

    @Test func transfersAreValues() throws {
        var ends: [CInt] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        let near = OwnedFD(adopting: ends[0])
        var buffer = ByteBuffer(capacity: 16)
        #expect(SystemCalls.receive(near.raw, into: &buffer) == .wouldBlock)
        do {
            let far = OwnedFD(adopting: ends[1])
            #expect(SystemCalls.send(far.raw, ByteView("head "), ByteView("body")) == .octets(9))
            #expect(SystemCalls.receive(near.raw, into: &buffer, limit: 4) == .octets(4))
            #expect(SystemCalls.receive(near.raw, into: &buffer) == .octets(5))
            #expect(buffer.view.equals("head body"))
        }
        buffer.clear()
        #expect(SystemCalls.receive(near.raw, into: &buffer) == .endOfFile)
        #expect(SystemCalls.send(near.raw, ByteView("x")) == .failed(Errno(EPIPE)))
    }

    @Test func aSendThatDoesNotFitIsShort() throws {
        var ends: [CInt] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        let near = OwnedFD(adopting: ends[0])
        let far = OwnedFD(adopting: ends[1])
        let block = [UInt8](repeating: 7, count: 8 * 1024 * 1024)
        guard case .octets(let moved) = block.withView({ SystemCalls.send(near.raw, $0) }) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(moved > 0 && moved < block.count)
        #expect(block.withView { SystemCalls.send(near.raw, $0) } == .wouldBlock)
        _ = far.raw
    }
}
