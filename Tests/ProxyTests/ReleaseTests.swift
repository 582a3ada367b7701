import AllocationCount
import Config
import Core
import Testing
import Upstream

@testable import Proxy

@Suite("Which backendRef serves") struct ReleaseTests {
    static let key = SipHash.Key(low: 11, high: 22)

    /// Two backendRefs of one endpoint each.
    static func rule(_ weights: [UInt32] = [50, 50], _ change: (inout RouteTrafficPlan) -> Void) -> RulePlan {
        WorkerHarness.rule { rule in
            rule.backends = weights.enumerated().map {
                BackendPlan(target: .cluster($0), weight: $1, name: "default/backend-\($0):80")
            }
            change(&rule.traffic)
        }
    }

    private static func persistence(_ change: (inout SessionPersistencePlan) -> Void = { _ in }) -> (
        inout RouteTrafficPlan
    ) -> Void {
        var plan = SessionPersistencePlan(carrier: .cookie, name: "s")
        change(&plan)
        return { $0.sessionPersistence = plan }
    }

    /// Backends that answer each request at once, with their number; connections stay.
    final class Site {
        let harness: WorkerHarness
        let client: RawSocket
        private var connections: [(backend: Int, socket: RawSocket)] = []
        var seen: [String] = []

        init(_ rule: RulePlan, backends: Int = 2, clusters: [[Int]]? = nil) throws {
            harness = try WorkerHarness(backends: backends, rules: [rule], clusters: clusters)
            harness.worker.liveState.setSessionKey(ReleaseTests.key)
            client = try harness.connect()
        }

        /// - Returns: which backend answered, and the response's head; backend nil: the gateway itself.
        func ask(_ fields: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws -> (
            backend: Int?, head: String
        ) {
            client.forget()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
            var answered: Int?
            try harness.until("an answer", sourceLocation: sourceLocation) {
                for backend in harness.backendPorts.indices {
                    while let socket = try harness.tryAcceptBackend(backend) { connections.append((backend, socket)) }
                }
                for (backend, socket) in connections {
                    socket.receive()
                    guard socket.received.hasSuffix("\r\n\r\n") else { continue }
                    seen.append(socket.received)
                    socket.forget()
                    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(backend)")
                    answered = backend
                }
                client.receive()
                return client.received.contains("\r\n\r\n") && !client.received.hasSuffix("\r\n\r\n")
            }
            return (answered, client.received)
        }

        /// The value of `Set-Cookie: s=`, or nil.
        static func token(_ head: String) -> String? {
            guard let start = head.ranges(of: "Set-Cookie: s=").first?.upperBound else { return nil }
            return String(head[start...].prefix { $0 != ";" && $0 != "\r\n" })
        }
    }

    @Test func aCookieKeepsBackendAndEndpoint() throws {
        let site = try Site(Self.rule([50, 50], Self.persistence()), backends: 4, clusters: [[0, 1], [2, 3]])
        for _ in 0..<8 {
            let (first, head) = try site.ask()
            let token = try #require(Site.token(head))
            #expect(head.contains("; Path=/; HttpOnly\r\n"))
            for _ in 0..<5 {
                let (next, head) = try site.ask("Cookie: a=b; s=\(token)\r\n")
                #expect(next == first)
                #expect(!head.contains("Set-Cookie"), "nothing new is to be told")
            }
        }
        site.harness.expectNothingUnderWay()
    }

    @Test func aHeaderCarriesTheTokenToo() throws {
        let site = try Site(
            Self.rule(
                [50, 50],
                Self.persistence {
                    $0.carrier = .header
                    $0.name = "X-Session"
                }))
        let (first, head) = try site.ask()
        let start = try #require(head.ranges(of: "X-Session: ").first?.upperBound)
        let token = head[start...].prefix { $0 != "\r\n" }
        for _ in 0..<6 { #expect(try site.ask("x-session: \(token)\r\n").backend == first) }
    }

    @Test func aVersionOfWeightZeroServesNobodyAnyMore() throws {
        let site = try Site(Self.rule([0, 1], Self.persistence()))
        let token = try #require(Site.token(try site.ask().head))
        // Weights that move leave a session where it is.
        try site.harness.publish(rules: [Self.rule([999, 1], Self.persistence())])
        for _ in 0..<5 { #expect(try site.ask("Cookie: s=\(token)\r\n").backend == 1) }
        try site.harness.publish(rules: [Self.rule([1, 0], Self.persistence())])
        let (backend, head) = try site.ask("Cookie: s=\(token)\r\n")
        #expect(backend == 0)
        #expect(Site.token(head) != nil && Site.token(head) != token)
    }

    @Test func anEndpointThatIsGoneIsReplacedWithinItsVersion() throws {
        let site = try Site(Self.rule([50, 50], Self.persistence()), backends: 4, clusters: [[0], [2]])
        let (first, head) = try site.ask()
        let token = try #require(Site.token(head))
        let isFirst = first == 0
        try site.harness.publish(
            rules: [Self.rule([50, 50], Self.persistence())], clusters: [[isFirst ? 1 : 0], [isFirst ? 2 : 3]])
        let (next, renewed) = try site.ask("Cookie: s=\(token)\r\n")
        #expect(next == (isFirst ? 1 : 3))
        let other = try #require(Site.token(renewed))
        #expect(other != token)
        #expect(try site.ask("Cookie: s=\(other)\r\n").head.contains("Set-Cookie") == false)
    }

    @Test(arguments: ["", "0", String(repeating: "0", count: 64), "\(String(repeating: "f", count: 63))g"])
    func whatWasNotGivenIsAsNothing(token: String) throws {
        let site = try Site(Self.rule([50, 50], Self.persistence()))
        let found = try (0..<4).map { _ in try site.ask("Cookie: s=\(token)\r\n") }
        #expect(Set(found.map(\.backend)).count == 2, "weights decide")
        #expect(found.allSatisfy { Site.token($0.head) != nil })
    }

    @Test func aTokenThatIsOverBeginsAnew() throws {
        let plan = Self.persistence {
            $0.absoluteTimeout = 100
            $0.isPermanent = true
        }
        let site = try Site(Self.rule([0, 1], plan))
        let (_, head) = try site.ask()
        #expect(head.contains("; Max-Age=100; HttpOnly"))
        let token = try #require(Site.token(head))
        let read = try #require(Array(token.utf8).withView { SessionToken($0, key: Self.key) })
        func aged(_ seconds: UInt32) -> String {
            var old = read
            old.begun -= seconds
            old.lastUsed -= seconds
            var out = ByteBuffer()
            old.write(to: &out, key: Self.key)
            return out.view.string
        }
        #expect(Site.token(try site.ask("Cookie: s=\(aged(50))\r\n").head) == nil)
        #expect(Site.token(try site.ask("Cookie: s=\(aged(101))\r\n").head) != nil)
    }

    @Test func withRestEachSecondIsTold() throws {
        let site = try Site(Self.rule([0, 1], Self.persistence { $0.idleTimeout = 100 }))
        let token = try #require(Site.token(try site.ask().head))
        var old = try #require(Array(token.utf8).withView { SessionToken($0, key: Self.key) })
        old.lastUsed -= 50
        var out = ByteBuffer()
        old.write(to: &out, key: Self.key)
        let renewed = try #require(Site.token(try site.ask("Cookie: s=\(out.view.string)\r\n").head))
        let now = try #require(Array(renewed.utf8).withView { SessionToken($0, key: Self.key) })
        #expect(now.lastUsed > old.lastUsed && now.begun == old.begun)
    }

    // MARK: keys

    @Test func equalKeysGoToOneBackend() throws {
        let site = try Site(Self.rule { $0.splitKey = SplitKeyPlan(source: .header, name: "x-user") })
        var homes: [Int: Int] = [:]
        for round in 0..<3 {
            for user in 0..<20 {
                let backend = try #require(try site.ask("X-User: user-\(user)\r\n").backend)
                if round == 0 { homes[user] = backend }
                #expect(homes[user] == backend)
            }
            // A reload, with the backends in another order.
            var rule = Self.rule { $0.splitKey = SplitKeyPlan(source: .header, name: "x-user") }
            rule.backends.reverse()
            try site.harness.publish(rules: [rule])
        }
        #expect(Set(homes.values) == [0, 1])
    }

    @Test func aUserWithoutCookieGetsOne() throws {
        let site = try Site(Self.rule { $0.splitKey = SplitKeyPlan(source: .cookie, name: "s") })
        for _ in 0..<10 {
            let (first, head) = try site.ask()
            let user = try #require(Site.token(head))
            #expect(user.count == 32)
            let (next, again) = try site.ask("Cookie: s=\(user)\r\n")
            #expect(next == first && !again.contains("Set-Cookie"))
        }
    }

    @Test func oneAddressIsOneKey() throws {
        let site = try Site(Self.rule { $0.splitKey = SplitKeyPlan(source: .clientAddress) })
        #expect(Set(try (0..<6).map { _ in try site.ask().backend }).count == 1)
    }

    // MARK: rollouts

    private static let rollout = RolloutPlan(
        canary: 1, stable: 0, steps: [500, 1000], interval: .seconds(1), minRequests: 1, failureTolerance: 0,
        latencyRatio: 0, specHash: 0xABCD_0000_1111_2222)

    @Test func theShareOfTheLiveStateIsInForceAtOnce() throws {
        let site = try Site(Self.rule([100, 0]) { $0.rollout = Self.rollout })
        let plan = Self.rule([100, 0]) { $0.rollout = Self.rollout }
        try site.harness.publish(rules: [plan]) { _ in }
        func shares() throws -> Int { try (0..<20).count { _ in try site.ask().backend == 1 } }
        // The first step, as long as nobody has said more.
        #expect(try shares() == 10)
        let cell = BackendRefCell(site.harness.worker.liveState, WorkerHarness.backendRefSlot(1))
        cell.setShare(0, specHash: Self.rollout.specHash)
        #expect(try shares() == 0)
        cell.setShare(1000, specHash: Self.rollout.specHash)
        #expect(try shares() == 20)
        // Another text's share is not this one's.
        cell.setShare(0, specHash: 1)
        #expect(try shares() == 10)
    }

    @Test func bothSidesAreCounted() throws {
        let site = try Site(Self.rule([100, 0]) { $0.rollout = Self.rollout })
        for _ in 0..<10 { _ = try site.ask() }
        let live = site.harness.worker.liveState
        let canary = BackendRefCell(live, WorkerHarness.backendRefSlot(1)).tally(worker: 0)
        let stable = BackendRefCell(live, WorkerHarness.backendRefSlot(0)).tally(worker: 0)
        #expect(canary.requests == 5 && stable.requests == 5)
        #expect(canary.failures == 0 && canary.latencies.total == 5)
        // Nobody listens there.
        try site.harness.publish(
            rules: [Self.rule([100, 0]) { $0.rollout = Self.rollout }], clusters: [[0], [9]])
        for _ in 0..<10 { _ = try site.ask() }
        let later = BackendRefCell(live, WorkerHarness.backendRefSlot(1)).tally(worker: 0)
        #expect(later.requests == 10 && later.failures == 5)
    }

    /// With a new name, a new token and a rollout in each exchange, in a build without optimisation: a few short-lived objects
    /// at most, and nothing that grows.
    @Test func exchangesOfAReleaseAllocateNextToNothing() throws {
        let rule = Self.rule([50, 50]) {
            $0.sessionPersistence = SessionPersistencePlan(
                carrier: .cookie, name: "s", absoluteTimeout: 3600, idleTimeout: 60)
            $0.splitKey = SplitKeyPlan(source: .cookie, name: "u")
            $0.rollout = Self.rollout
        }
        let harness = try WorkerHarness(rules: [rule], clusters: [[0], [0]])
        harness.worker.liveState.setSessionKey(Self.key)
        let client = try harness.connect()
        let request = Array("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n".utf8)
        let response = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".utf8)
        client.send(request)
        let backends = try [harness.acceptBackend()]
        harness.expect(backends[0], toReceive: "\r\n\r\n")
        backends[0].send(response)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        // Each backendRef has connections of its own to the one endpoint.
        var sockets = backends
        func exchange(accepts: Bool = false) throws {
            client.send(request)
            var isAnswered = false
            while !isAnswered {
                harness.loop.turn(limit: 1)
                if accepts, let socket = try harness.tryAcceptBackend() { sockets.append(socket) }
                for socket in sockets where socket.discard() {
                    socket.send(response)
                    isAnswered = true
                }
            }
            harness.loop.turn(limit: 100)
            while !client.discard() { harness.loop.turn(limit: 1) }
        }
        for _ in 0..<200 { try exchange(accepts: true) }
        let before = allocation_count()
        for _ in 0..<500 { try exchange() }
        #expect(allocation_count() - before <= 1500)
    }
}
