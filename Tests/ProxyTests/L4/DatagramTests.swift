import Config
import Core
import Glibc
import IO
import Telemetry
import Testing

@testable import Proxy

/// UDPRoutes: sessions by both addresses.
@Suite struct DatagramTests {
    /// A socket of a test that takes and sends datagrams.
    private final class Peer {
        let fd: OwnedFD
        let port: UInt16
        private let batch = DatagramBatch()

        /// A backend.
        init() throws {
            fd = try Socket.listen(ListeningAddress(.udp, SocketAddress(ip: WorkerHarness.loopback, port: 0)))
            port = try #require(Socket.localAddress(fd.raw)).port
        }

        /// A client.
        init(calling port: UInt16) throws {
            fd = try Socket.connectDatagrams(SocketAddress(ip: WorkerHarness.loopback, port: port))
            self.port = try #require(Socket.localAddress(fd.raw)).port
        }

        func send(_ octets: [UInt8]) { #expect(Glibc.send(fd.raw, octets, octets.count, 0) == octets.count) }
        func send(_ text: String) { send(Array(text.utf8)) }

        /// What has come, and from whom.
        func receive() -> [(octets: [UInt8], peer: SocketAddress)] {
            guard batch.receive(fd.raw, addressed: true) == .received else { return [] }
            return (0..<batch.count).compactMap { index in batch.peer(index).map { (batch.view(index).array, $0) } }
        }

        /// Sends everything back to whom it came from; returns how much there was.
        func echo() -> Int {
            guard batch.receive(fd.raw, addressed: true) == .received else { return 0 }
            for index in 0..<batch.count {
                guard let peer = batch.peer(index) else { continue }
                batch.address(index..<(index + 1), to: peer, from: nil, socketIsV6: false)
                #expect(batch.send(index..<(index + 1), fd.raw) == 1)
            }
            return batch.count
        }
    }

    private struct Scene {
        let harness: WorkerHarness
        let port: UInt16
        let backends: [Peer]

        init(backends count: Int = 1, _ shares: [(weight: UInt32, members: [Int]?)] = [(1, [0])]) throws {
            harness = try WorkerHarness()
            backends = try (0..<count).map { _ in try Peer() }
            let fd = SharedFD(
                try Socket.listen(ListeningAddress(.udp, SocketAddress(ip: WorkerHarness.loopback, port: 0))))
            port = try #require(Socket.localAddress(fd.raw)).port
            harness.worker.datagrams.add(WorkerHarness.socketID + 1, fd)
            try publish(shares)
        }

        func publish(_ shares: [(weight: UInt32, members: [Int]?)], listens: Bool = true) throws {
            try harness.publish { plan in
                var route = plan.routes[0]
                route.kind = "UDPRoute"
                route.rules = [RulePlan(matches: [])]
                for (index, share) in shares.enumerated() {
                    let target: BackendPlan.Target = share.members == nil ? .answer(500) : .cluster(plan.clusters.count)
                    route.rules[0].backends.append(
                        BackendPlan(target: target, weight: share.weight, name: "default/udp-\(index):53"))
                    guard let members = share.members else { continue }
                    plan.clusters.append(
                        ClusterPlan(
                            name: "default/udp-\(index):53", backendProtocol: .opaque,
                            endpoints: members.map {
                                EndpointPlan(
                                    address: SocketAddress(ip: WorkerHarness.loopback, port: backends[$0].port))
                            }))
                }
                plan.routes.append(route)
                guard listens else { return }
                var socket = plan.sockets[0]
                socket.transport = .udp
                socket.address.port = port
                socket.listeners[0].listenerProtocol = .udp
                socket.listeners[0].attachments = [.init(hostnames: [""], route: 1)]
                plan.sockets.append(socket)
            }
        }

        /// Sends a datagram and waits for its echo.
        func roundTrip(_ client: Peer, _ text: String, by backend: Int = 0) {
            client.send(text)
            var answers: [[UInt8]] = []
            harness.until("the echo of \(text)") {
                _ = backends[backend].echo()
                answers += client.receive().map(\.octets)
                return answers.contains(Array(text.utf8))
            }
        }
    }

    @Test func aClientAndItsEndpointTalk() throws {
        let scene = try Scene()
        let client = try Peer(calling: scene.port)
        scene.roundTrip(client, "one")
        scene.roundTrip(client, "two")
        #expect(scene.harness.total(.datagramSessions) == 1)
        let other = try Peer(calling: scene.port)
        scene.roundTrip(other, "three")
        #expect(scene.harness.total(.datagramSessionsNow) == 2)
        #expect(scene.harness.total(.datagramsReceived) == 3 && scene.harness.total(.datagramsSent) == 3)
        #expect(scene.harness.total(.relayBytesReceived) == 11 && scene.harness.total(.relayBytesSent) == 11)
    }

    @Test func batchesEmptyOnesAndTheLongestPassWhole() throws {
        let scene = try Scene()
        let client = try Peer(calling: scene.port)
        var wanted: [[UInt8]] = (0..<100).map { [UInt8](repeating: UInt8($0), count: 10 * $0) }
        wanted.append([UInt8](repeating: 9, count: 65_507))
        var seen: [[UInt8]] = []
        for octets in wanted {
            client.send(octets)
            scene.harness.loop.turn(limit: 0)
            seen += scene.backends[0].receive().map(\.octets)
        }
        scene.harness.until("all of them") {
            seen += scene.backends[0].receive().map(\.octets)
            return seen.count >= wanted.count
        }
        #expect(seen == wanted)
    }

    @Test func silenceEndsASession() throws {
        let scene = try Scene()
        scene.harness.worker.datagrams.idle = .milliseconds(50)
        let client = try Peer(calling: scene.port)
        scene.roundTrip(client, "one")
        scene.harness.until("its end") { scene.harness.total(.datagramSessionsNow) == 0 }
        scene.harness.expectNothingUnderWay()
        scene.roundTrip(client, "two")
        #expect(scene.harness.total(.datagramSessions) == 2)
    }

    @Test func weightsAreSharesOfSessions() throws {
        let scene = try Scene(backends: 2, [(2, [0]), (1, [1]), (1, nil)])
        var clients: [Peer] = []
        for _ in 0..<40 {
            let client = try Peer(calling: scene.port)
            client.send("x")
            // Those that follow go the same way.
            client.send("y")
            clients.append(client)
            scene.harness.loop.turn(limit: 1)
        }
        var counts = [0, 0]
        scene.harness.until("what passes") {
            for index in 0..<2 { counts[index] += scene.backends[index].receive().count }
            return counts == [40, 20]
        }
        scene.harness.until("twenty to be dropped") { scene.harness.total(.datagramsDropped) == 20 }
        #expect(scene.harness.total(.datagramSessions) == 40)
    }

    @Test func theLimitLetsTheSilentGo() throws {
        let scene = try Scene()
        scene.harness.worker.datagrams.limit = 8
        var clients: [Peer] = []
        for number in 0..<20 {
            clients.append(try Peer(calling: scene.port))
            scene.roundTrip(clients[number], "\(number)")
            #expect(scene.harness.worker.datagrams.count == min(number + 1, 8))
        }
        #expect(scene.harness.total(.datagramSessions) == 20)
    }

    @Test func anEndpointThatIsNotThereIsNoEnd() throws {
        let scene = try Scene()
        let client = try Peer(calling: scene.port)
        scene.roundTrip(client, "one")
        // The backend's socket goes; its host tells so by ICMP. Later it is back.
        try scene.publish([(1, [0])])
        client.send("two")
        scene.harness.settle()
        _ = scene.backends[0].receive()
        scene.roundTrip(client, "three")
        #expect(scene.harness.total(.datagramSessions) == 1, "a reload leaves sessions alone")
    }

    @Test func whatNobodyTakesIsToldByICMPAndForgotten() throws {
        let scene = try Scene(backends: 0, [(1, nil)])
        let port: UInt16
        do { port = try Peer().port }
        try scene.harness.publish { plan in
            var route = plan.routes[0]
            route.kind = "UDPRoute"
            plan.clusters[0].endpoints = [EndpointPlan(address: SocketAddress(ip: WorkerHarness.loopback, port: port))]
            route.rules = [
                RulePlan(matches: [], backends: [BackendPlan(target: .cluster(0), weight: 1, name: "default/dead:53")])
            ]
            plan.routes.append(route)
            var socket = plan.sockets[0]
            socket.transport = .udp
            socket.address.port = scene.port
            socket.listeners[0].listenerProtocol = .udp
            socket.listeners[0].attachments = [.init(hostnames: [""], route: 1)]
            plan.sockets.append(socket)
        }
        let client = try Peer(calling: scene.port)
        for _ in 0..<5 {
            client.send("x")
            scene.harness.settle()
        }
        #expect(scene.harness.total(.datagramsReceived) == 5 && scene.harness.total(.datagramSessionsNow) == 1)
        #expect(client.receive().isEmpty)
    }

    @Test func sessionsOfAnEndpointThatIsGoneEnd() throws {
        let scene = try Scene(backends: 2)
        let client = try Peer(calling: scene.port)
        scene.roundTrip(client, "one")
        try scene.publish([(1, [1])])
        scene.harness.until("its end") { scene.harness.total(.datagramSessionsNow) == 0 }
        scene.roundTrip(client, "two", by: 1)
        try scene.publish([], listens: false)
        #expect(scene.harness.total(.datagramSessionsNow) == 0)
        scene.harness.expectNothingUnderWay()
    }

    @Test func aDrainWaitsForAShortSilence() throws {
        let scene = try Scene()
        scene.harness.worker.datagrams.idle = .milliseconds(300)
        let client = try Peer(calling: scene.port)
        scene.roundTrip(client, "one")
        var isDone = false
        scene.harness.worker.drain { isDone = true }
        #expect(!isDone)
        scene.roundTrip(client, "two")
        // Nobody new.
        let other = try Peer(calling: scene.port)
        other.send("x")
        scene.harness.until("the end") { isDone }
        #expect(scene.harness.total(.datagramSessions) == 1)
        scene.harness.expectNothingUnderWay()
    }
}
