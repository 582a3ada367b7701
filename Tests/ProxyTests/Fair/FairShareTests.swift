import AllocationCount
import Config
import Core
import Glibc
import IO
import Telemetry
import Testing
import Upstream

@testable import Proxy

/// Calls on a group's listener while something is short; callers are told apart by their addresses.
@Suite struct FairShareTests {
    /// Two callers of one gateway, whose listener is a group's.
    private func harness(backends: Int = 1) throws -> WorkerHarness {
        let harness = try WorkerHarness(backends: backends)
        try harness.publish { plan in
            plan.groups = [GroupPlan(namespace: "default", name: "gateway")]
            plan.sockets[0].listeners[0].group = 0
        }
        return harness
    }

    private func caller(_ last: UInt8, _ harness: WorkerHarness) throws -> RawSocket {
        try RawSocket(connecting: harness.port, from: IPAddress(v4: 127, 0, 1, last))
    }

    /// So many calls of the first caller, each on a connection of its own, as far as they get.
    private func calls(_ count: Int, of path: String, _ harness: WorkerHarness) throws -> [RawSocket] {
        let clients = try (0..<count).map { _ in try caller(1, harness) }
        for client in clients { client.send(Self.request(path)) }
        harness.settle()
        return clients
    }

    /// Whoever connects to the backend now.
    private func accepted(_ harness: WorkerHarness) throws -> [RawSocket] {
        var backends: [RawSocket] = []
        while let backend = try harness.tryAcceptBackend() { backends.append(backend) }
        return backends
    }

    private static func request(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n" }
    private static let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test func whileNothingIsShortNobodyWaits() throws {
        let harness = try harness()
        let client = try caller(1, harness)
        client.send(Self.request("/"))
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(harness.worker.fair.calls == 1)
        #expect(harness.worker.fair.octets > 0)
        backend.send(Self.response)
        harness.expect(client, toReceive: "ok")
        #expect(harness.worker.fair.calls == 0 && harness.worker.fair.octets == 0 && harness.worker.fair.waiting == 0)
        #expect(harness.worker.liveState.flows.rows().allSatisfy { $0.queued == 0 && $0.rejected == 0 })
        harness.expectNothingUnderWay()
    }

    @Test func whoHoldsAsMuchAsIsFreeWaitsAndOthersDoNot() throws {
        let harness = try harness()
        harness.worker.fair.callLimit = 4
        let greedy = try calls(4, of: "/greedy", harness)
        // Of four places two, and then as many are free as it holds.
        #expect(harness.worker.fair.calls == 2)
        #expect(harness.worker.fair.waiting == 2)
        #expect(harness.total(.fairWaitingNow) == 2)
        let other = try caller(2, harness)
        other.send(Self.request("/other"))
        var backends = try accepted(harness)
        let third = try harness.acceptBackend()
        harness.expect(third, toReceive: "GET /other")
        third.send(Self.response)
        harness.expect(other, toReceive: "ok")
        // As soon as one of its own is over, the next goes on.
        #expect(backends.count == 2)
        for backend in backends {
            harness.expect(backend, toReceive: "GET /greedy")
            backend.forget()
            backend.send(Self.response)
        }
        var answered = 2
        while answered < 4 {
            for backend in backends + [third] {
                backend.receive()
                if backend.received.contains("/greedy") {
                    backend.forget()
                    backend.send(Self.response)
                    answered += 1
                }
            }
            harness.settle()
            if let backend = try harness.tryAcceptBackend() { backends.append(backend) }
        }
        for client in greedy { harness.expect(client, toReceive: "ok") }
        let rows = harness.worker.liveState.flows.rows()
        #expect(rows.first { $0.caller == "127.0.1.1" }?.queued == 2)
        #expect(rows.first { $0.caller == "127.0.1.2" } == nil)
        #expect(harness.worker.fair.calls == 0 && harness.worker.fair.waiting == 0)
        harness.expectNothingUnderWay()
    }

    @Test func whereTooManyWaitTheNewestOfTheGreediestIsRefused() throws {
        let harness = try harness()
        harness.worker.fair.callLimit = 2
        harness.worker.fair.waitingLimit = 2
        let greedy = try caller(1, harness)
        greedy.send(Self.request("/1"))
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /1")
        let second = try caller(1, harness)
        second.send(Self.request("/2"))
        harness.until("the second to wait") { harness.worker.fair.waiting == 1 }
        let third = try caller(1, harness)
        third.send(Self.request("/3"))
        harness.until("the third to wait") { harness.worker.fair.waiting == 2 }
        // Another caller has nothing under way: there is a place for it. Its second call has to wait, and for that the
        // newest of those that most wait of goes.
        let other = try caller(2, harness)
        other.send(Self.request("/other"))
        let next = try harness.acceptBackend()
        harness.expect(next, toReceive: "GET /other")
        let another = try caller(2, harness)
        another.send(Self.request("/another"))
        harness.expect(third, toReceive: "503 Service Unavailable")
        harness.expect(third, toReceive: "the share of 127.0.1.1 is used up: more of its calls wait than may")
        harness.until("the other's second to wait") { harness.worker.fair.waiting == 2 }
        #expect(harness.worker.liveState.flows.rows().first { $0.caller == "127.0.1.1" }?.rejected == 1)
        #expect(harness.worker.liveState.flows.rows().first { $0.caller == "127.0.1.2" }?.rejected ?? 0 == 0)
        #expect(harness.statistics.requests(.upstreamOverflow) == 1)
        next.send(Self.response)
        harness.expect(other, toReceive: "ok")
        backend.send(Self.response)
        harness.expect(greedy, toReceive: "ok")
        for (client, path) in [(second, "GET /2"), (another, "GET /another")] {
            harness.until(path) {
                backend.receive()
                next.receive()
                return backend.received.contains(path) || next.received.contains(path)
            }
            (backend.received.contains(path) ? backend : next).send(Self.response)
            harness.expect(client, toReceive: "ok")
        }
        harness.expectNothingUnderWay()
    }

    @Test func whoWaitsAndGoesLeavesNothingBehind() throws {
        let harness = try harness()
        harness.worker.fair.callLimit = 2
        let first = try caller(1, harness)
        first.send(Self.request("/1"))
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /1")
        do {
            let second = try caller(1, harness)
            second.send(Self.request("/2"))
            harness.until("the second to wait") { harness.worker.fair.waiting == 1 }
            second.resetsWhenGone()
        }
        harness.until("the second to be gone") { harness.worker.fair.waiting == 0 }
        backend.send(Self.response)
        harness.expect(first, toReceive: "ok")
        #expect(harness.worker.fair.calls == 0)
        harness.expectNothingUnderWay()
    }

    @Test func whileTimeIsShortFlowsTakeTurns() throws {
        let harness = try harness()
        let greedy = try (0..<12).map { _ in try caller(1, harness) }
        let other = try caller(2, harness)
        harness.settle()
        harness.worker.fair.beginShortage()
        for (number, client) in greedy.enumerated() { client.send(Self.request("/greedy/\(number)")) }
        other.send(Self.request("/other"))
        var backends: [RawSocket] = []
        try harness.until("all to arrive") {
            backends += try accepted(harness)
            return backends.count == 13
        }
        // In the order in which the worker connected. A greedy one may have come into the first turn alone, and what a share may
        // take in one round is worth some.
        for backend in backends { harness.expect(backend, toReceive: "\r\n\r\n") }
        let place = try #require(backends.firstIndex { $0.received.contains("/other") })
        #expect(place < 10, "it was served as number \(place)")
        for backend in backends { backend.send(Self.response) }
        for client in greedy + [other] { harness.expect(client, toReceive: "ok") }
        #expect(harness.worker.liveState.flows.rows().first { $0.caller == "127.0.1.1" }?.queued ?? 0 > 0)
        harness.until("the shortage to end") { !harness.worker.fair.isShort }
        #expect(harness.worker.fair.calls == 0 && harness.worker.fair.octets == 0)
        harness.expectNothingUnderWay()
    }

    /// Those who go on wait in the same queues, and more of them: none of those may be refused, so somebody who came just now is.
    @Test func whileTimeIsShortNoMoreWaitThanMay() throws {
        let harness = try harness()
        harness.worker.fair.waitingLimit = 2
        let going = try (0..<6).map { _ in try caller(1, harness) }
        for client in going { client.send(Self.request("/going")) }
        var backends: [RawSocket] = []
        try harness.until("all to arrive") {
            backends += try accepted(harness)
            return backends.count == 6
        }
        for backend in backends { harness.expect(backend, toReceive: "GET /going") }
        #expect(backends.count == 6 && harness.worker.fair.calls == 6)
        let newcomers = try (2...9).map { try caller(UInt8($0), harness) }
        harness.settle()
        harness.worker.fair.beginShortage()
        for backend in backends { backend.send(Self.response) }
        for client in newcomers { client.send(Self.request("/new")) }
        var refused = 0
        var served = 0
        try harness.until("the newcomers' answers") {
            #expect(harness.worker.fair.waiting <= 2)
            backends += try accepted(harness)
            for backend in backends {
                backend.receive()
                guard backend.received.contains("GET /new") else { continue }
                backend.forget()
                backend.send(Self.response)
            }
            for client in newcomers { client.receive() }
            refused = newcomers.count { $0.received.contains("503 Service Unavailable") }
            served = newcomers.count { $0.received.hasSuffix("ok") }
            return refused + served == newcomers.count
        }
        #expect(refused > 0)
        for client in going { harness.expect(client, toReceive: "ok") }
        harness.until("the shortage to end") { !harness.worker.fair.isShort }
        #expect(harness.worker.fair.calls == 0 && harness.worker.fair.waiting == 0)
        harness.expectNothingUnderWay()
    }

    @Test func bodiesPassWholeWhileTimeIsShort() throws {
        let harness = try harness()
        harness.worker.fair.beginShortage()
        let clients = try (1...4).map { try caller(UInt8($0), harness) }
        let body = String(repeating: "0123456789abcdef", count: 4096)
        for client in clients {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
        }
        var sent = clients.map { _ in 0 }
        var backends: [RawSocket] = []
        let octets = Array(body.utf8)
        try harness.until("the bodies to arrive") {
            for (number, client) in clients.enumerated() where sent[number] < octets.count {
                sent[number] += client.send(Array(octets[sent[number]...]))
            }
            backends += try accepted(harness)
            for backend in backends { backend.receive() }
            harness.worker.fair.beginShortage()
            return backends.count == 4 && backends.allSatisfy { $0.received.hasSuffix(body) }
        }
        for backend in backends {
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: \(octets.count)\r\n\r\n")
        }
        sent = backends.map { _ in 0 }
        harness.until("the answers to arrive") {
            for (number, backend) in backends.enumerated() where sent[number] < octets.count {
                sent[number] += backend.send(Array(octets[sent[number]...]))
            }
            for client in clients { client.receive() }
            return clients.allSatisfy { $0.received.hasSuffix(body) }
        }
        harness.settle()
        #expect(harness.worker.fair.calls == 0 && harness.worker.fair.octets == 0)
        harness.expectNothingUnderWay()
    }

    // MARK: members

    /// A gateway whose one member is `cart` of the namespace `default`.
    private func member(_ share: FairSharePlan) throws -> WorkerHarness {
        let harness = try WorkerHarness()
        try harness.publish { plan in
            var group = GroupPlan(namespace: "default", name: "gateway")
            var port = MemberPortPlan(number: 80, memberProtocol: .http)
            port.routes = [0]
            var member = MemberPlan(namespace: "default", name: "cart", ports: [port])
            member.fairShare = share
            group.members = [member]
            plan.groups = [group]
            plan.sockets[0].listeners[0].group = 0
            plan.sockets[0].listeners[0].attachments = []
        }
        return harness
    }

    private static let call = "GET / HTTP/1.1\r\nHost: cart.default\r\n\r\n"

    @Test func aServiceHasNoMoreCallsThanItsQuota() throws {
        let harness = try member(FairSharePlan(maxConnections: 1))
        let (first, second) = (try caller(1, harness), try caller(2, harness))
        first.send(Self.call)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(harness.worker.liveState.member(WorkerHarness.slot).allCalls == 1)
        second.send(Self.call)
        harness.until("the second to wait") { harness.worker.fair.waiting == 1 }
        backend.forget()
        backend.send(Self.response)
        harness.expect(first, toReceive: "ok")
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.response)
        harness.expect(second, toReceive: "ok")
        #expect(harness.worker.liveState.member(WorkerHarness.slot).allCalls == 0)
        #expect(harness.worker.liveState.member(WorkerHarness.slot).allOctets == 0)
        harness.expectNothingUnderWay()
    }

    @Test func aServiceHasNoMoreMemoryThanItsQuota() throws {
        let harness = try member(FairSharePlan(maxMemory: 1))
        let (first, second) = (try caller(1, harness), try caller(2, harness))
        first.send(Self.call)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(harness.worker.liveState.member(WorkerHarness.slot).allOctets > 0)
        second.send(Self.call)
        harness.until("the second to wait") { harness.worker.fair.waiting == 1 }
        backend.forget()
        backend.send(Self.response)
        harness.expect(first, toReceive: "ok")
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.response)
        harness.expect(second, toReceive: "ok")
        harness.expectNothingUnderWay()
    }

    @Test func takingTurnsAllocatesLittle() throws {
        func allocations(isShort: Bool) throws -> Int {
            let harness = try member(FairSharePlan(weight: 2, maxConnections: 100, maxMemory: 64 << 20))
            let client = try caller(1, harness)
            let request = Array(Self.call.utf8)
            let response = Array(Self.response.utf8)
            client.send(request)
            let backend = try harness.acceptBackend()
            harness.expect(backend, toReceive: "\r\n\r\n")
            backend.send(response)
            harness.expect(client, toReceive: "ok")
            func exchange() {
                if isShort { harness.worker.fair.beginShortage() }
                client.send(request)
                harness.loop.turn(limit: 100)
                while !backend.discard() { harness.loop.turn(limit: 1) }
                backend.send(response)
                harness.loop.turn(limit: 100)
                while !client.discard() { harness.loop.turn(limit: 1) }
            }
            for _ in 0..<300 { exchange() }
            harness.passSweep()
            let before = allocation_count()
            for _ in 0..<1000 { exchange() }
            return Int(allocation_count() - before)
        }
        // Without optimisation looking up the member allocates a little, the same for all.
        let calm = try allocations(isShort: false)
        #expect(calm <= 4000)
        // Being put off costs what the loop takes to come round again, and nothing that grows.
        #expect(try allocations(isShort: true) <= calm + 10_000)
    }
}
