import Core
import Glibc
import Support
import Testing

@testable import IO

@Suite struct MessageLinkTests {
    private static let address = ListeningAddress(
        .udp, SocketAddress(ip: IPAddress(v4: 10, 1, 2, 3), port: 8080))

    private func block(_ text: String) throws -> SharedFD {
        try Array(text.utf8).withUnsafeBytes { try SealedBlock.make("test", $0) }
    }

    private func text(_ fd: SharedFD) throws -> String {
        let block = try SealedBlock(fd.raw)
        return String(decoding: UnsafeRawBufferPointer(start: block.base, count: block.size), as: UTF8.self)
    }

    private func workerPair(
        _ whenFull: SupervisorWorkerLink.WhenFull = .queueing
    ) throws -> (SupervisorWorkerLink, WorkerLink) {
        let (mine, other) = try SupervisorWorkerLink.pair(whenFull: whenFull)
        return (mine, WorkerLink(fd: try other.duplicate()))
    }

    @Test func ordersArriveWholeAndInOrder() throws {
        let (supervisor, worker) = try workerPair()
        let snapshot = try block("the snapshot")
        let listener = SharedFD(try Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0)))
        for order in [
            WorkerOrder.socket(id: 7, address: Self.address, listener),
            .snapshot(generation: 3, revision: 9, snapshot), .closeSocket(id: 7), .drain(timeout: .seconds(30)),
            .reopenLogs, .quit,
        ] { #expect(supervisor.send(order) == .sent) }
        guard case .message(.socket(7, Self.address, let copy)) = worker.receive() else { throw Failure() }
        #expect(copy.raw != listener.raw)
        #expect(Socket.localAddress(copy.raw) == Socket.localAddress(listener.raw))
        guard case .message(.snapshot(3, 9, let received)) = worker.receive() else { throw Failure() }
        #expect(try text(received) == "the snapshot")
        guard case .message(.closeSocket(7)) = worker.receive() else { throw Failure() }
        guard case .message(.drain(let timeout)) = worker.receive(), timeout == .seconds(30) else { throw Failure() }
        guard case .message(.reopenLogs) = worker.receive(), case .message(.quit) = worker.receive(),
            case .nothing = worker.receive()
        else { throw Failure() }
    }

    @Test(arguments: [WorkerReport.ready, .live(generation: 1, revision: .max), .drained])
    func reportsArrive(report: WorkerReport) throws {
        let (supervisor, worker) = try workerPair()
        #expect(worker.send(report) == .sent)
        guard case .message(let received) = supervisor.receive() else { throw Failure() }
        #expect(received == report)
    }

    @Test func whatTheControllerAsksArrives() throws {
        let (mine, other) = try SupervisorControllerLink.pair(whenFull: .queueing)
        let controller = ControllerLink(fd: try other.duplicate())
        let many = (0..<ControllerRequest.addressLimit).map {
            ListeningAddress(.tcp, SocketAddress(ip: .any, port: UInt16($0)))
        }
        controller.send(.bind(many))
        controller.send(.release([1, 2]))
        controller.send(
            .publish(
                Publication(
                    generation: 1, revision: 2, snapshot: try block("s"), sockets: [3, 4], deposit: try block("d"))))
        controller.send(.publish(Publication(generation: 1, revision: 3, snapshot: try block("t"), sockets: [])))
        controller.send(.drain)
        guard case .message(.bind(many)) = mine.receive(), case .message(.release([1, 2])) = mine.receive(),
            case .message(.publish(let first)) = mine.receive(), case .message(.publish(let second)) = mine.receive(),
            case .message(.drain) = mine.receive()
        else { throw Failure() }
        #expect(first.generation == 1 && first.revision == 2 && first.sockets == [3, 4])
        #expect(try text(first.snapshot) == "s")
        #expect(try text(try #require(first.deposit)) == "d")
        #expect(second.deposit == nil && second.sockets.isEmpty)
    }

    @Test func whatTheControllerIsToldArrives() throws {
        let (mine, other) = try SupervisorControllerLink.pair(whenFull: .queueing)
        let controller = ControllerLink(fd: try other.duplicate())
        let bindings = [
            Binding(address: Self.address, outcome: .bound(id: 1)),
            Binding(address: Self.address, outcome: .failed(Errno(EADDRINUSE))),
        ]
        let statuses = [nil, Death.exited(code: 3), .killed(signal: 9)].enumerated().map { index, death in
            WorkerStatus(
                index: UInt16(index), state: .serving, pid: 42, startedAt: 1 << 60, restarts: 5, lastDeath: death,
                revision: 8)
        }
        let publication = Publication(generation: 4, revision: 5, snapshot: try block("s"), sockets: [1])
        mine.send(.hello(ControllerHello(workers: 2, restarts: 1, bound: bindings, current: publication)))
        mine.send(.hello(ControllerHello(workers: 2, restarts: 0, bound: [], current: nil)))
        mine.send(.workers(statuses))
        mine.send(.published(generation: 4, revision: 5, workers: 2))
        mine.send(.drainBegan(delay: .zero, timeout: .seconds(1)))
        guard case .message(.hello(let full)) = controller.receive(),
            case .message(.hello(let empty)) = controller.receive(),
            case .message(.workers(statuses)) = controller.receive(),
            case .message(.published(4, 5, 2)) = controller.receive(),
            case .message(.drainBegan(.zero, .seconds(1))) = controller.receive()
        else { throw Failure() }
        #expect(full.bound == bindings && full.restarts == 1 && full.current?.sockets == [1])
        #expect(empty.current == nil && empty.workers == 2)
    }

    @Test func theOtherEndsDeathIsSeenAfterItsLastWords() throws {
        let (mine, other) = try SupervisorWorkerLink.pair(whenFull: .queueing)
        do {
            let worker = WorkerLink(fd: try other.duplicate())
            worker.send(.drained)
            #expect(shutdown(worker.descriptor, Int32(SHUT_RDWR)) == 0)
        }
        guard case .message(.drained) = mine.receive(), case .closed = mine.receive() else { throw Failure() }
        #expect(mine.send(.quit) == .closed)
    }

    /// A process that does not read never makes the supervisor wait; what it reads later is complete and in order.
    @Test func aFullLinkQueuesUpToItsLimit() throws {
        let (supervisor, worker) = try workerPair()
        var id: UInt32 = 0
        while supervisor.send(.closeSocket(id: id)) == .sent { id += 1 }
        #expect(supervisor.queued == 1)
        while supervisor.send(.closeSocket(id: id + 1)) == .queued { id += 1 }
        #expect(supervisor.queued == MessageLinkLimits.queue)
        var expected: UInt32 = 0
        while case .message(.closeSocket(let next)) = worker.receive() {
            #expect(next == expected)
            expected += 1
            supervisor.flush()
        }
        #expect(expected == id + 1)
        #expect(supervisor.queued == 0)
    }

    /// What no family member would send: an error, whatever it is, and the descriptors that came along are closed.
    @Test(arguments: 0..<200)
    func nonsenseIsAValue(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let (mine, other) = try SupervisorControllerLink.pair(whenFull: .queueing)
        let publication = Publication(generation: 1, revision: 2, snapshot: try block("s"), sockets: [3, 4, 5])
        let frames = [
            ControllerRequest.publish(publication).frame, ControllerRequest.bind([Self.address]).frame,
            ControllerRequest.release([1, 2, 3]).frame, ControllerRequest.drain.frame,
        ]
        let whole = frames.randomElement(using: &random)!.octets
        var octets = whole
        switch seed % 4 {
        case 0: octets = Array(octets.prefix(Int.random(in: 1..<octets.count, using: &random)))
        case 1: octets.append(0)
        case 2: octets[Int.random(in: 0..<8, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        default:
            octets = (0..<Int.random(in: 1...100, using: &random)).map { _ in .random(in: 0...255, using: &random) }
        }
        // A changed kind may happen to be another message's; all others must be refused.
        let passed = dup(0)
        close(passed)
        let sent = octets.withUnsafeBytes { send(other.raw, $0.baseAddress, $0.count, 0) }
        #expect(sent == octets.count)
        switch mine.receive() {
        case .malformed: break
        case .message: #expect(seed % 4 == 2, "seed \(seed) was taken for a message")
        case .nothing, .closed: Issue.record("seed \(seed): nothing came")
        }
        guard case .nothing = mine.receive() else { throw Failure() }
    }

    @Test func aWildCountReservesNothing() {
        var writer = FrameWriter()
        writer.add(UInt32.max)
        #expect(throws: MalformedFrame.truncated) { try ControllerRequest(Frame(kind: 302, payload: writer.payload)) }
    }

    @Test func surplusDescriptorsAreRefused() throws {
        let extra = try block("extra")
        #expect(throws: MalformedFrame.surplusDescriptors(1)) {
            try WorkerReport(Frame(kind: 101, descriptors: [extra]))
        }
        #expect(throws: MalformedFrame.missingDescriptor) {
            _ = try WorkerOrder(Frame(kind: 3, payload: [UInt8](repeating: 0, count: 16)))
        }
    }

    private struct Failure: Error {}
}
