import Config
import Core
import Telemetry
import Testing

@testable import Connection
@testable import Proxy

extension WorkerHarness {
    /// Has the one listening socket relay TCP by weight: a cluster of its own for each entry, nil an invalid backend.
    func publishTCP(
        _ backends: [(weight: UInt32, members: [Int]?)] = [(1, [0])], _ change: (inout GatewayPlan) -> Void = { _ in }
    ) throws {
        var clusters: [[Int]] = []
        var plans: [BackendPlan] = []
        for (weight, members) in backends {
            let target: BackendPlan.Target = members == nil ? .answer(500) : .cluster(clusters.count)
            plans.append(BackendPlan(target: target, weight: weight, name: "default/backend-\(plans.count):80"))
            if let members { clusters.append(members) }
        }
        try publish(rules: [RulePlan(matches: [], backends: plans)], clusters: clusters) { plan in
            plan.routes[0].kind = "TCPRoute"
            plan.sockets[0].listeners[0].listenerProtocol = .tcp
            for index in plan.clusters.indices { plan.clusters[index].backendProtocol = .opaque }
            change(&plan)
        }
    }
}

/// TCPRoutes: octets as they come.
@Suite struct RelayTests {
    private func open(_ harness: WorkerHarness) throws -> (client: RawSocket, backend: RawSocket) {
        let client = try harness.connect()
        return (client, try harness.acceptBackend())
    }

    private static func octets(_ size: Int, _ factor: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: $0 &* factor >> 3) }
    }

    @Test func octetsPassBothWaysAndTheServerMaySpeakFirst() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP()
        let (client, backend) = try open(harness)
        backend.send("220 hello\r\n")
        harness.expect(client, toReceive: "220 hello\r\n")
        client.send("EHLO you\r\n")
        harness.expect(backend, toReceive: "EHLO you\r\n")
        #expect(harness.total(.relaysNow) == 1)
        client.finish()
        harness.expectEnd(backend)
        // Half-closed: the other way goes on.
        backend.send("250 late\r\n")
        harness.expect(client, toReceive: "250 late\r\n")
        backend.finish()
        harness.expectEnd(client)
        #expect(!client.wasReset && !backend.wasReset)
        harness.until("the end") { harness.total(.relaysNow) == 0 }
        harness.expectNothingUnderWay()
        #expect(harness.statistics.relays(.none) == 1)
        #expect(harness.total(.relayBytesReceived) == 10 && harness.total(.relayBytesSent) == 21)
        let endpoint = harness.statistics.slot(.endpoint, WorkerHarness.slot)
        #expect(endpoint.requestBytes == 10 && endpoint.responseBytes == 21 && endpoint.connections == 1)
        #expect(harness.worker.registry.count == 0)
    }

    @Test func whatTheClientSaysBeforeTheEndpointIsThereIsKept() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP()
        let client = try harness.connect()
        client.send("early")
        client.finish()
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "early")
        harness.expectEnd(backend)
    }

    /// Through pipes, and copied where there are none.
    @Test(arguments: [128, 0]) func bulkPassesBothWaysAtOnce(pipes: Int) throws {
        let harness = try WorkerHarness()
        harness.worker.resources.pipes.limit = pipes
        try harness.publishTCP()
        let (client, backend) = try open(harness)
        let size = 4_000_000
        let (up, down) = (Self.octets(size, 7), Self.octets(size, 13))
        var (sentUp, sentDown) = (0, 0)
        harness.until("both") {
            sentUp += client.send(Array(up[sentUp..<min(size, sentUp + 200_000)]))
            sentDown += backend.send(Array(down[sentDown..<min(size, sentDown + 200_000)]))
            client.receive()
            backend.receive()
            return client.bytes.count >= size && backend.bytes.count >= size
        }
        #expect(backend.bytes == up && client.bytes == down)
        client.finish()
        backend.finish()
        harness.until("the end") { harness.total(.relaysNow) == 0 }
        #expect(harness.worker.resources.pipes.lent == 0)
        #expect(harness.total(.relayBytesReceived) == UInt64(size))
    }

    @Test func aSlowReaderHoldsTheSenderUp() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP()
        let (client, backend) = try open(harness)
        let block = [UInt8](repeating: 1, count: 1_000_000)
        var sent = 0
        var idle = 0
        while idle < 50 {
            let count = backend.send(block)
            sent += count
            idle = count == 0 ? idle + 1 : 0
            harness.loop.turn(limit: 1)
        }
        // A pipe, and what the kernel's four sockets hold.
        #expect(sent < 64_000_000)
        var received = 0
        harness.until("all of it") {
            client.receive()
            received += client.bytes.count
            client.forget()
            return received == sent
        }
    }

    @Test(arguments: [true, false]) func aResetOnOneSideEndsBoth(onClientsSide: Bool) throws {
        let harness = try WorkerHarness()
        try harness.publishTCP()
        var (client, backend): (RawSocket?, RawSocket?) = try open(harness)
        client?.send("x")
        harness.expect(try #require(backend), toReceive: "x")
        if onClientsSide {
            client?.resetsWhenGone()
            client = nil
            harness.expectEnd(try #require(backend))
            #expect(backend?.wasReset == true)
            #expect(harness.statistics.relays(.downstreamTermination) == 1)
        } else {
            backend?.resetsWhenGone()
            backend = nil
            harness.expectEnd(try #require(client))
            #expect(client?.wasReset == true)
            #expect(harness.statistics.relays(.upstreamRemoteReset) == 1)
        }
        harness.expectNothingUnderWay()
    }

    @Test func aResetIsSeenWhileTheOtherSideTakesNothing() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP()
        var client: RawSocket? = try harness.connect()
        let backend = try harness.acceptBackend()
        backend.keepBuffersSmall()
        let block = [UInt8](repeating: 1, count: 100_000)
        var idle = 0
        while idle < 50 {
            idle = client?.send(block) == 0 ? idle + 1 : 0
            harness.loop.turn(limit: 1)
        }
        client?.resetsWhenGone()
        client = nil
        harness.until("the end") { harness.total(.relaysNow) == 0 }
        #expect(harness.statistics.relays(.downstreamTermination) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func silenceEndsIt() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.streamIdle = .milliseconds(30)
        try harness.publishTCP()
        let (client, backend) = try open(harness)
        client.send("x")
        harness.expect(backend, toReceive: "x")
        harness.expectEnd(client)
        harness.expectEnd(backend)
        #expect(harness.statistics.relays(.streamIdleTimeout) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func anEndpointThatRefusesIsPassedOver() throws {
        let harness = try WorkerHarness(backends: 1)
        try harness.publishTCP([(1, [9, 0])])
        // Whose turn it is, is chance; of forty one begins at the endpoint that refuses.
        for _ in 0..<40 where harness.total(.upstreamConnectFailures) == 0 {
            let (client, backend) = try open(harness)
            client.send("x")
            harness.expect(backend, toReceive: "x")
        }
        #expect(harness.total(.upstreamConnectFailures) > 0)
    }

    @Test(arguments: [[9], []]) func whereNobodyListensTheClientIsReset(members: [Int]) throws {
        let harness = try WorkerHarness()
        try harness.publishTCP([(1, members)])
        let client = try harness.connect()
        harness.expectEnd(client)
        #expect(client.wasReset)
        #expect(harness.statistics.relays(members.isEmpty ? .noHealthyUpstream : .upstreamConnectionFailure) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func weightsAreShares() throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishTCP([(3, [0]), (0, [1]), (1, [1]), (1, nil)])
        var clients: [RawSocket] = []
        var (first, second, refused) = (0, 0, 0)
        var kept: [RawSocket] = []
        for _ in 0..<50 {
            let client = try harness.connect()
            harness.until("its way") {
                client.receive()
                if let socket = try? harness.tryAcceptBackend(0) {
                    first += 1
                    kept.append(socket)
                    return true
                }
                if let socket = try? harness.tryAcceptBackend(1) {
                    second += 1
                    kept.append(socket)
                    return true
                }
                if client.ended { refused += 1 }
                return client.ended
            }
            clients.append(client)
        }
        #expect((first, second, refused) == (30, 10, 10))
        #expect(harness.statistics.relays(.noCluster) == 10)
    }

    @Test func aListenerWithoutARouteClosesWhatComes() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP { $0.sockets[0].listeners[0].attachments = [] }
        let client = try harness.connect()
        harness.expectEnd(client)
        #expect(!client.wasReset)
        #expect(harness.statistics.relays(.noRoute) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func aDrainWaitsAndIsCut() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP()
        let (client, backend) = try open(harness)
        client.send("x")
        harness.expect(backend, toReceive: "x")
        var isDone = false
        harness.worker.drain { isDone = true }
        harness.settle()
        #expect(!isDone && harness.total(.relaysNow) == 1)
        client.send("y")
        harness.expect(backend, toReceive: "xy")
        harness.worker.registry.cut()
        harness.expectEnd(client)
        #expect(isDone && harness.statistics.relays(.localReset) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func aReloadLeavesWhatIsOpenAlone() throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishTCP([(1, [0])])
        let (client, backend) = try open(harness)
        client.send("x")
        harness.expect(backend, toReceive: "x")
        try harness.publishTCP([(1, [1])])
        client.send("y")
        harness.expect(backend, toReceive: "xy")
        let other = try harness.connect()
        let newBackend = try harness.acceptBackend(1)
        other.send("z")
        harness.expect(newBackend, toReceive: "z")
    }
}
