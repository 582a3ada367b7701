import Core
import Glibc
import IO
import Support
import Testing

@testable import Supervisor

@Suite struct ListeningSocketsTests {
    private func address(_ text: String, _ transport: SocketTransport = .tcp) throws -> ListeningAddress {
        ListeningAddress(transport, try #require(SocketAddress(text)))
    }

    @Test func oneSocketForEachWorkerAndAStableId() throws {
        var sockets = ListeningSockets(workers: 3)
        let address = try address("127.0.0.1:\(Ports.free())")
        let binding = sockets.bind(address)
        #expect(binding.outcome == .bound(id: 1))
        #expect(sockets.bind(address) == binding)
        let numbers = (0..<3).compactMap { sockets.socket(1, worker: $0)?.fd.raw }
        #expect(Set(numbers).count == 3)
        sockets.close(1)
        #expect(sockets.isEmpty)
        #expect(sockets.bind(address).outcome == .bound(id: 2))
    }

    /// What a guard has kept is used, not bound again; what is missing is added, what is too much is left to the guard.
    @Test(arguments: [1, 2, 4]) func keptSocketsAreUsed(workers: Int) throws {
        let address = try address("127.0.0.1:\(Ports.free())")
        let kept = try (0..<2).map { _ in SharedFD(try Socket.listen(address)) }
        var sockets = ListeningSockets(workers: workers)
        #expect(sockets.bind(address).outcome == .failed(Errno(EADDRINUSE)))
        sockets.keep([address.address: kept])
        #expect(sockets.bind(address).outcome == .bound(id: 1))
        for worker in 0..<workers {
            let socket = try #require(sockets.socket(1, worker: worker)?.fd)
            #expect((socket === kept.dropFirst(worker).first) == (worker < 2))
            #expect(Socket.isListening(socket.raw, at: address.address))
        }
        #expect(sockets.published.isEmpty)
        sockets.markPublished([1])
        #expect(sockets.published[address.address]?.count == workers)
        sockets.forgetKept()
    }

    @Test func aSpecificAddressBesideTheWildcardIsOurOwn() throws {
        var sockets = ListeningSockets(workers: 2)
        let port = try Ports.free()
        #expect(sockets.bind(try address("[::]:\(port)")).outcome == .bound(id: 1))
        #expect(sockets.bind(try address("127.0.0.1:\(port)")).outcome == .bound(id: 2))
    }

    @Test func tcpAndUdpHavePortsOfTheirOwn() throws {
        var sockets = ListeningSockets(workers: 2)
        let port = try Ports.free()
        let udp = try address("127.0.0.1:\(port)", .udp)
        #expect(sockets.bind(try address("127.0.0.1:\(port)")).outcome == .bound(id: 1))
        #expect(sockets.bind(udp).outcome == .bound(id: 2))
        #expect(sockets.bind(udp).outcome == .bound(id: 2))
        #expect(sockets.socket(2, worker: 1)?.address == udp)
        // Who else takes datagrams there is a conflict, as with TCP.
        var others = ListeningSockets(workers: 1)
        #expect(others.bind(udp).outcome == .failed(Errno(EADDRINUSE)))
    }

    @Test func aTakenPortLeavesNothingBehind() throws {
        let backend = try Backend()
        var sockets = ListeningSockets(workers: 2)
        #expect(sockets.bind(try address("127.0.0.1:\(backend.port)")).outcome == .failed(Errno(EADDRINUSE)))
        #expect(sockets.isEmpty)
    }

    @Test func onlyWhatWasPublishedIsRetired() throws {
        var sockets = ListeningSockets(workers: 1)
        for _ in 0..<3 { _ = sockets.bind(try address("127.0.0.1:\(Ports.free())")) }
        let snapshot = try [UInt8(1)].withUnsafeBytes { try SealedBlock.make("test", $0) }
        func publication(_ ids: [UInt32]) -> Publication {
            Publication(generation: 1, revision: 1, snapshot: snapshot, sockets: ids)
        }
        sockets.markPublished([1, 2])
        #expect(sockets.retired(by: publication([2])) == [1])
        #expect(sockets.retired(by: publication([])) == [1, 2])
        // Asked for again: the controller is about to use it.
        _ = sockets.bind(try #require(sockets.socket(1, worker: 0)?.address))
        #expect(sockets.retired(by: publication([])) == [2])
    }
}
