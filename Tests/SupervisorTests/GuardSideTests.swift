import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

@testable import Supervisor

@Suite struct GuardSideTests {
    private let address = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 80)

    private func listening() throws -> SharedFD {
        SharedFD(try Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0)))
    }

    /// What the family has closed refuses connections, unless a guard has it.
    @Test func whoLeavesKeepsNoSocket() throws {
        let folder = try TemporaryFolder()
        let side = GuardSide(folder.path + "/nobody", EventLoop()) { _ in }
        var socket: SharedFD? = try listening()
        weak let kept = socket
        side.serve([address: [try #require(socket)]], [:])
        socket = nil
        #expect(kept != nil)
        side.leave()
        #expect(kept == nil)
    }

    /// More messages than the kernel and a short queue take are told of at once, and none is lost.
    @Test func aLargeFamilyIsToldOfWhole() throws {
        let folder = try TemporaryFolder()
        let keeper = try SlowKeeper(path: folder.path + "/guard")
        let notices = Mutex<[String]>([])
        let side = GuardSide(keeper.path, EventLoop()) { notice in
            notices.withLock { $0.append("\(notice.text)") }
        }
        defer { side.leave() }
        #expect(side.takeOver().isEmpty)
        let socket = try listening()
        var sockets: [SocketAddress: [SharedFD]] = [:]
        for port in 1...UInt16(ControllerRequest.addressLimit) {
            sockets[SocketAddress(ip: address.ip, port: port)] = Array(repeating: socket, count: 16)
        }
        side.serve(sockets, [:])
        keeper.mayRead()
        try Wait.until("all to be told") {
            side.ready(.writable)
            return keeper.seen.isServing
        }
        #expect(keeper.seen.sockets == ControllerRequest.addressLimit * 16)
        side.leave()
        try Wait.until("the leaving to be told") {
            side.ready(.writable)
            return keeper.seen.hasLeft
        }
        #expect(notices.withLock { $0 } == ["the guard is there"])
    }

    /// The guard has the last word, since it may have central gateways of its own; what is known is not told again.
    @Test func addressesThatLeadToNobodyAreToldOfOnce() throws {
        let folder = try TemporaryFolder()
        let other = SocketAddress(ip: address.ip, port: 81)
        let keeper = try AskedKeeper(
            path: folder.path + "/guard", uncovered: [[address], [address], [address, other]])
        let loop = EventLoop()
        var told: [String] = []
        let side = GuardSide(keeper.path, loop) { notice in
            guard notice.level == .warning else { return }
            told.append(notice.facts.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
            if told.count == 2 { loop.stop() }
        }
        #expect(side.takeOver().isEmpty)
        let sockets = [address: [try listening()], other: [try listening()]]
        side.serve(sockets, [:])
        // Each publication has the guard asked anew; the second answer is like the first.
        var answers = 0
        var publication: Alarm!
        publication = Alarm(loop) {
            if keeper.answers > answers {
                answers = keeper.answers
                side.serve(sockets, [:])
            }
            publication.set(after: .milliseconds(20))
        }
        publication.set(after: .milliseconds(20))
        let end = Alarm(loop) { loop.stop() }
        end.set(after: Wait.patience)
        loop.run()
        end.clear()
        publication.clear()
        publication = nil
        side.leave()
        #expect(
            told == ["addresses=127.0.0.1:80 count=1", "addresses=127.0.0.1:80,127.0.0.1:81 count=2"], "\(told)")
    }
}

/// A guard that answers each question with the next list of addresses that lead to nobody.
private final class AskedKeeper: Sendable {
    let path: String
    private let given = Mutex(0)

    init(path: String, uncovered: [[SocketAddress]]) throws {
        self.path = path
        let door = SharedFD(try MessageSocket.listen(path: path))
        Threads.start { [weak self] in
            var question = pollfd(fd: door.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&question, 1, 10_000) > 0, let accepted = try? Socket.accept(door.raw) else { return }
            let link = MessageLink<GuardOrder, GuardReport>(fd: OwnedFD(adopting: accepted.fd))
            while let self {
                var question = pollfd(fd: link.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&question, 1, 50)
                guard self.read(link, uncovered) else { return }
            }
        }
    }

    var answers: Int { given.withLock { $0 } }

    /// False: the link is over.
    private func read(_ link: MessageLink<GuardOrder, GuardReport>, _ uncovered: [[SocketAddress]]) -> Bool {
        while true {
            switch link.receive() {
            case .message(.hello): link.send(.allHeld(0))
            case .message(.status):
                let list = uncovered[min(answers, uncovered.count - 1)]
                link.send(
                    .status(
                        GuardStatus(
                            state: .standingBy, pid: 0, relays: 0, relayed: 0, failed: 0, absences: 0,
                            held: UInt32(list.count),
                            addresses: list.map { GuardStatus.Address(address: $0, sockets: 1, central: []) })))
                given.withLock { $0 += 1 }
            case .message: break
            case .nothing: return true
            case .closed, .malformed: return false
            }
        }
    }
}

/// A guard that holds nothing, and reads nothing but the greeting until it may.
private final class SlowKeeper: Sendable {
    struct Seen: Sendable {
        var mayRead = false
        var sockets = 0
        var isServing = false
        var hasLeft = false
    }

    let path: String
    private let state = Mutex(Seen())

    init(path: String) throws {
        self.path = path
        let door = SharedFD(try MessageSocket.listen(path: path))
        Threads.start { [weak self] in
            var question = pollfd(fd: door.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&question, 1, 10_000) > 0, let accepted = try? Socket.accept(door.raw) else { return }
            let link = MessageLink<GuardOrder, GuardReport>(fd: OwnedFD(adopting: accepted.fd))
            while let self {
                var question = pollfd(fd: link.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&question, 1, 50)
                guard self.read(link) else { return }
            }
        }
    }

    var seen: Seen { state.withLock { $0 } }
    func mayRead() { state.withLock { $0.mayRead = true } }

    /// False: the link is over.
    private func read(_ link: MessageLink<GuardOrder, GuardReport>) -> Bool {
        while true {
            switch link.receive() {
            case .message(.hello):
                link.send(.allHeld(0))
                guard (try? Wait.until("the order to read on") { seen.mayRead }) != nil else { return false }
            case .message(.sockets(let shared)): state.withLock { $0.sockets += shared.sockets.count }
            case .message(.serving): state.withLock { $0.isServing = true }
            case .message(.leaving): state.withLock { $0.hasLeft = true }
            case .message: break
            case .nothing: return true
            case .closed, .malformed: return false
            }
        }
    }
}
