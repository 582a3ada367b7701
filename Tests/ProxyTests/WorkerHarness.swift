import Config
import Core
import Glibc
import IO
import Telemetry
import Testing
import Upstream

@testable import Proxy

/// A worker in this process, turned by hand, between raw sockets: no threads, so every test is a sequence of facts.
final class WorkerHarness {
    let loop = EventLoop()
    let worker: Worker
    let port: UInt16
    private let statisticsMemory: UnsafeMutableRawPointer
    private let liveMemory: UnsafeMutableRawPointer
    private var backends: [RawSocket] = []
    let backendPorts: [UInt16]

    /// - Parameter rules: made for the clusters 0…, each of one backend of this harness.
    init(backends count: Int = 1, rules: [RulePlan]? = nil) throws {
        statisticsMemory = .allocate(byteCount: StatisticsRegion.size(workers: 1), alignment: 4096)
        memset(statisticsMemory, 0, StatisticsRegion.size(workers: 1))
        liveMemory = .allocate(byteCount: LiveState.size(workers: 1), alignment: 4096)
        memset(liveMemory, 0, LiveState.size(workers: 1))
        let statistics = WorkerStatistics(base: statisticsMemory, worker: 0)
        worker = Worker(
            loop: loop, statistics: statistics, liveState: LiveState(base: liveMemory, workers: 1, worker: 0),
            accessLog: try AccessLog(.off, loop: loop, statistics: statistics), log: Log(level: .error, speaker: "test")
        )
        // A worker ends with its process and has no other end; here it and its loop are left to the test process.
        _ = Unmanaged.passRetained(worker)
        _ = Unmanaged.passRetained(loop)
        let loopback = IPAddress(v4: 127, 0, 0, 1)
        let listening = SharedFD(try Socket.listen(SocketAddress(ip: loopback, port: 0)))
        port = try #require(Socket.localAddress(listening.raw)).port
        backends = try (0..<count).map { _ in try RawSocket(listening: loopback) }
        backendPorts = backends.map(\.port)
        var plan = GatewayPlan()
        plan.clusters = backendPorts.enumerated().map { index, port in
            ClusterPlan(
                name: "default/backend-\(index):80",
                endpoints: [EndpointPlan(address: SocketAddress(ip: loopback, port: port))])
        }
        let plain = RulePlan(
            matches: [MatchPlan(path: .prefix("/"))],
            backends: [BackendPlan(target: .cluster(0), weight: 1, name: "default/backend-0:80")])
        plan.routes = [
            RoutePlan(
                kind: "HTTPRoute", namespace: "default", name: "test", rules: rules ?? [plain],
                position: SourcePosition())
        ]
        plan.sockets = [
            SocketPlan(
                address: SocketAddress(ip: loopback, port: port),
                listeners: [
                    ListenerPlan(
                        gatewayNamespace: "default", gatewayName: "gateway", name: "http", hostname: "",
                        attachments: [.init(hostnames: [""], route: 0)], position: SourcePosition())
                ])
        ]
        let octets = try SnapshotBuilder.build(
            plan, generation: 1, revision: 1, sourceHash: 0, socketIDs: [7], slot: { _ in 1 })
        let shared = try octets.withUnsafeBytes { try SealedBlock.make("test", $0) }
        #expect(worker.apply(try SealedBlock(shared.raw)))
        worker.add(
            Listener(id: 7, address: SocketAddress(ip: loopback, port: port), fd: listening, worker: worker))
    }

    /// Turns the loop until `condition` holds.
    func until(_ what: String = "", sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool)
        rethrows
    {
        for _ in 0..<2000 {
            if try condition() { return }
            loop.turn(limit: 2)
        }
        Issue.record("did not happen in time: \(what)", sourceLocation: sourceLocation)
    }

    func connect() throws -> RawSocket { try RawSocket(connecting: port) }

    func tryAcceptBackend(_ index: Int = 0) throws -> RawSocket? { try backends[index].accept() }

    func acceptBackend(_ index: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> RawSocket {
        var accepted: RawSocket?
        try until("a connection to the backend", sourceLocation: sourceLocation) {
            accepted = try backends[index].accept()
            return accepted != nil
        }
        return try #require(accepted)
    }

    /// Turns the loop until `socket` has received `text` (and keeps what came).
    func expect(_ socket: RawSocket, toReceive text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        until("receiving '\(text)', has '\(socket.received)'", sourceLocation: sourceLocation) {
            socket.receive()
            return socket.received.contains(text)
        }
    }

    func expectEnd(_ socket: RawSocket, sourceLocation: SourceLocation = #_sourceLocation) {
        until("the end of the connection", sourceLocation: sourceLocation) {
            socket.receive()
            return socket.ended
        }
    }
}

/// A non-blocking socket of a test.
final class RawSocket {
    private let fd: OwnedFD
    private(set) var bytes: [UInt8] = []
    private(set) var ended = false
    let port: UInt16

    var received: String { String(decoding: bytes, as: UTF8.self) }

    init(listening ip: IPAddress) throws {
        fd = try Socket.listen(SocketAddress(ip: ip, port: 0))
        port = try #require(Socket.localAddress(fd.raw)).port
    }

    init(connecting port: UInt16) throws {
        fd = try Socket.connect(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port))
        self.port = port
    }

    private init(_ raw: CInt) {
        fd = OwnedFD(adopting: raw)
        port = 0
    }

    func accept() throws -> RawSocket? { try Socket.accept(fd.raw).map { RawSocket($0.fd) } }

    /// Sends as much as the socket takes; returns how much.
    @discardableResult func send(_ octets: [UInt8]) -> Int {
        max(0, octets.withUnsafeBytes { Glibc.send(fd.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) })
    }

    @discardableResult func send(_ text: String) -> Int { send(Array(text.utf8)) }

    func receive() {
        var block = [UInt8](repeating: 0, count: 65536)
        while !ended {
            let count = recv(fd.raw, &block, block.count, 0)
            if count > 0 {
                bytes += block[0..<count]
            } else if count == 0 || errno != EAGAIN {
                ended = true
            } else {
                return
            }
        }
    }

    func forget() { bytes = [] }
    func finish() { Socket.shutdownWrite(fd.raw) }
}
