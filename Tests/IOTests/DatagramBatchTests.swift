import Core
import Glibc
import Testing

@testable import IO

@Suite struct DatagramBatchTests {
    private static let v4 = IPAddress(v4: 127, 0, 0, 1)
    private static let v6 = IPAddress(high: 0, low: 1)

    private func bound(_ ip: IPAddress) throws -> (fd: SharedFD, port: UInt16) {
        let fd = SharedFD(try Socket.listen(ListeningAddress(.udp, SocketAddress(ip: ip, port: 0))))
        return (fd, try #require(Socket.localAddress(fd.raw)).port)
    }

    private func send(_ text: String, _ fd: CInt) {
        #expect(text.withView { Glibc.send(fd, $0.base, $0.count, 0) } == text.utf8.count)
    }

    /// Also: IPv4 on a socket of IPv6, and another address of ours than the kernel would choose.
    @Test(arguments: [
        (bind: v4, to: v4), (bind: .any, to: v4), (bind: .any, to: v6),
        (bind: .any, to: IPAddress(v4: 127, 0, 0, 9)),
        (bind: IPAddress(v4: 0, 0, 0, 0), to: IPAddress(v4: 127, 0, 0, 9)),
    ])
    func answersComeFromTheAddressThatWasAsked(bind: IPAddress, to: IPAddress) throws {
        let (server, port) = try bound(bind)
        let client = try Socket.connectDatagrams(SocketAddress(ip: to, port: port))
        let batch = DatagramBatch()
        #expect(batch.receive(server.raw, addressed: true) == .wouldBlock)
        send("one", client.raw)
        send("two", client.raw)
        #expect(batch.receive(server.raw, addressed: true) == .received)
        try #require(batch.count == 2)
        #expect(batch.view(0).string == "one" && batch.view(1).string == "two")
        let peer = try #require(batch.peer(1))
        #expect(peer == Socket.localAddress(client.raw))
        #expect(batch.local(0) == to)
        batch.address(0..<2, to: peer, from: batch.local(0), socketIsV6: !bind.isV4)
        #expect(batch.send(0..<2, server.raw) == 2)
        // A connected socket takes what comes from whom it is connected to, and nothing else.
        #expect(batch.receive(client.raw, addressed: false) == .received)
        #expect(batch.count == 2 && batch.view(1).string == "two")
    }

    @Test func anEmptyOneAndTheLongestPass() throws {
        let (server, port) = try bound(Self.v4)
        let client = try Socket.connectDatagrams(SocketAddress(ip: Self.v4, port: port))
        let longest = [UInt8](repeating: 7, count: 65_507)
        #expect(Glibc.send(client.raw, longest, longest.count, 0) == longest.count)
        #expect(Glibc.send(client.raw, longest, 0, 0) == 0)
        let batch = DatagramBatch()
        #expect(batch.receive(server.raw, addressed: true) == .received)
        #expect(batch.count == 2 && batch.view(0).array == longest && batch.view(1).isEmpty)
        // Sent on, the longest of IPv4 is still within the bound.
        let other = try bound(Self.v4)
        let onward = try Socket.connectDatagrams(SocketAddress(ip: Self.v4, port: other.port))
        batch.unaddress(0..<2)
        #expect(batch.send(0..<2, onward.raw) == 2)
        #expect(batch.receive(other.fd.raw, addressed: true) == .received && batch.view(0).count == 65_507)
    }

    @Test func whatNobodyTakesIsNoEnd() throws {
        var port: UInt16 = 0
        do { port = try bound(Self.v4).port }
        let client = try Socket.connectDatagrams(SocketAddress(ip: Self.v4, port: port))
        send("lost", client.raw)
        let batch = DatagramBatch()
        #expect(batch.receive(client.raw, addressed: false) == .failed(Errno(ECONNREFUSED)))
        #expect(batch.receive(client.raw, addressed: false) == .wouldBlock)
        // The refusal of the first is not the second's.
        let (server, serverPort) = try bound(Self.v4)
        let sender = try Socket.connectDatagrams(SocketAddress(ip: Self.v4, port: serverPort))
        send("a", sender.raw)
        send("b", sender.raw)
        #expect(batch.receive(server.raw, addressed: true) == .received)
        batch.unaddress(0..<2)
        send("refused, and told with the next", client.raw)
        #expect(batch.send(0..<2, client.raw) >= 1)
    }
}
