import Core
import Glibc
import Support
import Testing

@testable import IO

@Suite struct GuardMessagesTests {
    private static let address = SocketAddress(ip: IPAddress(v4: 10, 1, 2, 3), port: 8080)

    @Test func socketsTravelInAsManyMessagesAsTheyNeed() throws {
        let listeners = try (0..<19).map { _ in
            SharedFD(try Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0)))
        }
        let (mine, other) = try MessageLink<GuardReport, GuardOrder>.pair(whenFull: .queueing)
        let keeper = MessageLink<GuardOrder, GuardReport>(fd: try other.duplicate())
        for shared in SharedSockets.all(Self.address, listeners) { #expect(mine.send(.sockets(shared)) == .sent) }
        var received: [SharedFD] = []
        while received.count < 19 {
            guard case .message(.sockets(let shared)) = keeper.receive() else {
                Issue.record("not all came")
                return
            }
            #expect(shared.address == Self.address && Int(shared.first) == received.count && shared.count == 19)
            received += shared.sockets
        }
        for (ours, theirs) in zip(listeners, received) {
            #expect(Socket.localAddress(ours.raw) == Socket.localAddress(theirs.raw))
            let port = try #require(Socket.localAddress(ours.raw)?.port)
            #expect(Socket.isListening(theirs.raw, at: SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port)))
            #expect(!Socket.isListening(theirs.raw, at: Self.address))
        }
        guard case .nothing = keeper.receive() else { throw Errno(EINVAL) }
    }

    @Test func whatADescriptorIsNot() throws {
        #expect(!Socket.isListening(try SharedMemory.make("test", size: 4096).raw))
        let (_, other) = try SupervisorWorkerLink.pair(whenFull: .queueing)
        #expect(!Socket.isListening(other.raw))
    }

    /// Any octets are a message or an error.
    @Test func garbageIsRefused() throws {
        var random = SeededRandom(seed: 5)
        var refused = 0
        for round in 0..<20_000 {
            let kinds: [UInt16] = [401, 402, 403, 404, 405, 406, 407, 408, 501, 502, 503, 504, 505]
            let kind = kinds[round % kinds.count]
            let payload = (0..<Int(random.next() % 80)).map { _ in UInt8(truncatingIfNeeded: random.next() % 3) }
            let frame = Frame(kind: kind, payload: payload)
            do throws(MalformedFrame) {
                if kind < 500 { _ = try GuardOrder(frame) } else { _ = try GuardReport(frame) }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 10_000)
    }

    @Test func statusTravels() throws {
        let status = GuardStatus(
            state: .handingBack, pid: 17, relays: 3, relayed: 1 << 40, failed: 2, absences: 9, held: 200,
            addresses: (0..<GuardProtocol.statusLimit).map {
                GuardStatus.Address(
                    address: SocketAddress(ip: .any, port: UInt16($0)), sockets: 4,
                    central: Array(repeating: Self.address, count: GuardProtocol.centralLimit))
            })
        guard case .status(let read) = try GuardReport(GuardReport.status(status).frame) else { throw Errno(EINVAL) }
        #expect(read == status)
    }

    @Test func aDeadGuardsSocketIsReplacedAndALivingOnesIsNot() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/guard"
        do { _ = try MessageSocket.listen(path: path) }
        #expect(throws: Errno(ECONNREFUSED)) { try MessageSocket.connect(path: path).raw }
        let listener = try MessageSocket.listen(path: path)
        #expect(throws: Errno(EADDRINUSE)) { try MessageSocket.listen(path: path).raw }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let client = try MessageSocket.connect(path: path)
        let peer = try MessageSocket.peer(of: client.raw)
        #expect(peer == MessageSocket.Peer(pid: getpid(), uid: geteuid()))
        try folder.write("file", "no socket")
        #expect(throws: Errno(EEXIST)) { try MessageSocket.listen(path: folder.path + "/file").raw }
        _ = listener.raw
    }
}
