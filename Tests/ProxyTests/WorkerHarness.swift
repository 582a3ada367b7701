import Config
import Core
import Glibc
import IO
import Support
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
    private var generation: UInt64 = 0
    /// Places of backendRefs, given away in the order in which they are first named.
    private let backendRefSlots: SlotTable
    static func backendRefSlot(_ number: UInt32) -> UInt32 { number + 1 }
    /// The one listening socket, as the supervisor numbers it.
    static let socketID: UInt32 = 7

    /// - Parameters:
    ///   - rules: made for the clusters 0…; nil: everything goes to cluster 0.
    ///   - clusters: for each cluster its backends, by number; nil: one backend each. A number past the last backend is an
    ///     endpoint where nobody listens.
    init(backends count: Int = 1, rules: [RulePlan]? = nil, clusters: [[Int]]? = nil) throws {
        // As every role of the family does: splice(2) has no MSG_NOSIGNAL.
        signal(SIGPIPE, SIG_IGN)
        statisticsMemory = Self.zeroed(StatisticsRegion.size(workers: 1))
        let liveSize = LiveState.size(workers: 1) + TicketKeyRing.size
        liveMemory = Self.zeroed(liveSize)
        backendRefSlots = LiveState(base: liveMemory, workers: 1, worker: 0).slots(.backendRef)
        let ticketKeys = TicketKeyRing(base: liveMemory + LiveState.size(workers: 1))
        ticketKeys.rotate(wallNow: SystemCalls.wallNow())
        let statistics = WorkerStatistics(base: statisticsMemory, worker: 0)
        worker = Worker(
            loop: loop, statistics: statistics, liveState: LiveState(base: liveMemory, workers: 1, worker: 0),
            ticketKeys: ticketKeys,
            accessLog: try AccessLog(.off, loop: loop, statistics: statistics), log: Log(level: .error, speaker: "test")
        )
        // A worker ends with its process and has no other end; here it and its loop are left to the test process.
        _ = Unmanaged.passRetained(worker)
        _ = Unmanaged.passRetained(loop)
        let listening = SharedFD(try Socket.listen(SocketAddress(ip: Self.loopback, port: 0)))
        port = try #require(Socket.localAddress(listening.raw)).port
        backends = try (0..<count).map { _ in try RawSocket(listening: Self.loopback) }
        backendPorts = backends.map(\.port)
        try publish(rules: rules, clusters: clusters)
        worker.add(
            Listener(
                id: Self.socketID, address: SocketAddress(ip: Self.loopback, port: port), fd: listening, worker: worker)
        )
    }

    /// As shared memory is: zero, and none of the machine's until it is written.
    private static func zeroed(_ size: Int) -> UnsafeMutableRawPointer {
        guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            base != MAP_FAILED
        else { preconditionFailure("no memory") }
        return base
    }

    static let loopback = IPAddress(v4: 127, 0, 0, 1)
    /// Nobody listens there: tcpmux, which needs a privilege to bind.
    static let deadPort: UInt16 = 1

    /// A rule for a path's prefix.
    static func rule(
        _ prefix: String = "/", to cluster: Int = 0, _ change: (inout RulePlan) -> Void = { _ in }
    ) -> RulePlan {
        var rule = RulePlan(
            matches: [MatchPlan(path: .prefix(prefix))],
            backends: [BackendPlan(target: .cluster(cluster), weight: 1, name: "default/backend-\(cluster):80")])
        change(&rule)
        return rule
    }

    /// Has the worker take a new configuration over.
    /// - Parameter listens: whether the listening socket is part of it.
    /// - Parameter change: made to the plan before it is published.
    func publish(
        rules: [RulePlan]? = nil, clusters: [[Int]]? = nil, listens: Bool = true,
        _ change: (inout GatewayPlan) -> Void = { _ in }
    ) throws {
        generation += 1
        var plan = GatewayPlan()
        plan.clusters = (clusters ?? backendPorts.indices.map { [$0] }).enumerated().map { index, members in
            ClusterPlan(
                name: "default/backend-\(index):80",
                endpoints: members.map {
                    let port = $0 < backendPorts.count ? backendPorts[$0] : Self.deadPort
                    return EndpointPlan(address: SocketAddress(ip: Self.loopback, port: port))
                })
        }
        plan.routes = [
            RoutePlan(
                kind: "HTTPRoute", namespace: "default", name: "test", rules: rules ?? [Self.rule()],
                position: SourcePosition())
        ]
        if listens {
            plan.sockets = [
                SocketPlan(
                    address: SocketAddress(ip: Self.loopback, port: port),
                    listeners: [
                        ListenerPlan(
                            gatewayNamespace: "default", gatewayName: "gateway", name: "http", hostname: "",
                            attachments: [.init(hostnames: [""], route: 0)], position: SourcePosition())
                    ])
            ]
        }
        change(&plan)
        let octets = try SnapshotBuilder.build(
            plan, generation: generation, revision: generation, sourceHash: 0,
            socketIDs: plan.sockets.indices.map { Self.socketID + UInt32($0) },
            slots: SnapshotSlots(
                endpoint: { _ in Self.slot }, backendRef: { [backendRefSlots] in backendRefSlots.slot(for: $0) },
                listener: { _ in Self.slot }, member: { _ in Self.slot }))
        let shared = try octets.withUnsafeBytes { try SealedBlock.make("test", $0) }
        #expect(worker.apply(try SealedBlock(shared.raw)))
    }

    // MARK: what was counted

    /// Of every endpoint here.
    static let slot: UInt32 = 1

    var statistics: StatisticsReader { StatisticsReader(base: statisticsMemory, workers: 1) }

    func total(_ counter: Counter) -> UInt64 { statistics.total(counter) }

    /// Everything that was begun also ends.
    func expectNothingUnderWay(sourceLocation: SourceLocation = #_sourceLocation) {
        let live = LiveState(base: liveMemory, workers: 1, worker: 0)
        let levels = [Counter.requestsNow, .upstreamRequestsNow, .upgradesNow, .relaysNow, .arrivalsNow]
        until("nothing to be under way", sourceLocation: sourceLocation) {
            levels.allSatisfy { total($0) == 0 } && live.inFlight(Self.slot) == 0
        }
    }

    // MARK: turning

    /// Lets whatever is under way happen: turns that nothing more comes of.
    func settle() { for _ in 0..<20 { loop.turn(limit: 1) } }

    /// Turns the loop until `condition` holds.
    func until(_ what: String = "", sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool)
        rethrows
    {
        let end = SystemCalls.monotonicNow() + Wait.patience
        while SystemCalls.monotonicNow() < end {
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
    /// The end was a reset: what came before it is not all.
    private(set) var wasReset = false
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

    /// From another address of this machine's.
    init(connecting port: UInt16, from source: IPAddress) throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        fd = OwnedFD(adopting: raw)
        self.port = port
        func address(_ ip: IPAddress, _ port: UInt16) -> sockaddr_in {
            sockaddr_in(
                sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
                sin_addr: in_addr(s_addr: ip.v4.bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
        }
        func with(_ address: sockaddr_in, _ body: (CInt, UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
            withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        try #require(with(address(source, 0), Glibc.bind) == 0)
        try #require(with(address(IPAddress(v4: 127, 0, 0, 1), port), Glibc.connect) == 0)
        _ = fcntl(raw, F_SETFL, O_NONBLOCK)
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

    /// Takes what has come without keeping it; allocates nothing. True: there was something.
    func discard() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) {
            recv(fd.raw, $0.baseAddress, $0.count, 0) > 0
        }
    }

    /// Takes what has come, at most `limit` octets.
    func receive(limit: Int = .max) {
        var block = [UInt8](repeating: 0, count: min(65536, limit))
        var left = limit
        while !ended, left > 0 {
            let count = recv(fd.raw, &block, min(block.count, left), 0)
            if count > 0 {
                bytes += block[0..<count]
                left -= count
            } else if count < 0, errno == EAGAIN {
                return
            } else {
                wasReset = count < 0
                ended = true
            }
        }
    }

    func forget() { bytes = [] }
    /// The port that the peer sees.
    var localPort: UInt16? { Socket.localAddress(fd.raw)?.port }
    func finish() { Socket.shutdownWrite(fd.raw) }
    /// When the socket goes, its peer will see a reset.
    func resetsWhenGone() { Socket.resetOnClose(fd.raw) }

    /// Keeps what the kernel holds for us small, so that a test sees early that nobody reads.
    func keepBuffersSmall() {
        var size: CInt = 8192
        setsockopt(fd.raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        setsockopt(fd.raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    }
}
