import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

/// A BackendTrafficPolicy for the route of ``Manifests``.
private func policy(_ spec: String) -> String {
    """
    ---
    apiVersion: gateway.envoyproxy.io/v1alpha1
    kind: BackendTrafficPolicy
    metadata: {name: limits, namespace: default}
    spec:
      targetRefs:
      - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}
    \(spec)

    """
}

/// Clients that ask at an even pace, each on a connection of its own, and count what passes in each second.
private final class EvenLoad: Sendable {
    private let passed = Mutex<[TimeAmount]>([])
    private let others = Mutex<[Int]>([])
    private let running = Mutex(0)
    private let begin = SystemCalls.monotonicNow()

    init(port: UInt16, clients: Int, every pause: TimeAmount, lasting length: TimeAmount) {
        running.withLock { $0 = clients }
        for _ in 0..<clients {
            Threads.start { [self] in
                do {
                    let client = try Client(port: port)
                    while SystemCalls.monotonicNow() - begin < length {
                        let status = try client.request().status
                        let now = SystemCalls.monotonicNow() - begin
                        if status == 200 {
                            passed.withLock { $0.append(now) }
                        } else if status != 429 {
                            others.withLock { $0.append(status) }
                        }
                        usleep(UInt32(pause.nanoseconds / 1000))
                    }
                } catch {
                    others.withLock { $0.append(0) }
                }
                running.withLock { $0 -= 1 }
            }
        }
    }

    /// Times of what passed, from the first; and what was neither 200 nor 429.
    func finish() throws -> (passed: [TimeAmount], others: [Int]) {
        try Wait.until("the clients to end") { running.withLock { $0 } == 0 }
        let times = passed.withLock { $0 }.sorted()
        return (times.map { $0 - times[0] }, others.withLock { $0 })
    }
}

@Suite("Rate limits", .serialized) struct RateLimitTests {
    @Test func aHundredASecondOverFourWorkers() throws {
        let backend = try Backend("b")
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port)
                + policy("  rateLimit: {local: {rules: [{limit: {requests: 100, unit: Second}}]}}"),
            workers: 4, options: ["--access-log", "off"])
        let load = EvenLoad(port: port, clients: 16, every: .milliseconds(20), lasting: .milliseconds(5200))
        let (passed, others) = try load.finish()
        #expect(others.isEmpty)
        // In the five seconds from the first: five windows whole, but for their last hundredth, and the sixth is not begun.
        let count = passed.count { $0 < .milliseconds(4990) }
        // A busy client may leave some of a window to nobody; nobody may have more.
        #expect((400...505).contains(count), "\(count) passed")
        // No second has more than its share and what two evenly paced ones touch.
        for start in stride(from: 0 as Int64, to: 4000, by: 100) {
            let inSecond = passed.count { $0 >= .milliseconds(start) && $0 < .milliseconds(start + 1000) }
            #expect(inSecond <= 200, "\(inSecond) from \(start) ms")
        }
        _ = gateway
    }

    @Test func bucketsOutliveAWorkerAndAReload() throws {
        let backend = try Backend("b")
        let port = try Ports.free()
        let manifest =
            Manifests.simple(ports: [port], backend: backend.port)
            + policy("  rateLimit: {local: {rules: [{limit: {requests: 4, unit: Hour}}]}}")
        let gateway = try Gateway(manifest)
        let client = try Client(port: port)
        #expect(try (0..<5).map { _ in try client.request().status } == [200, 200, 200, 200, 429])
        try gateway.reload(["gateway.yaml": manifest.replacing("requests: 4", with: "requests: 5")])
        #expect(try (0..<2).map { _ in try client.request().status } == [200, 429])
        let worker = try #require(gateway.worker(0))
        kill(worker, SIGKILL)
        try Wait.until("another worker") { gateway.worker(0).map { $0 != worker } ?? false }
        try Wait.until("an answer") { (try? Client(port: port).request().status) == 429 }
    }

    @Test func metricsTellOfThePolicy() throws {
        let backend = try Backend("b")
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port)
                + policy("  rateLimit: {local: {rules: [{limit: {requests: 1, unit: Hour}}]}}"))
        let client = try Client(port: port)
        #expect(try (0..<3).map { _ in try client.request().status } == [200, 429, 429])
        let metrics = try gateway.admin("/metrics").text
        #expect(
            metrics.contains("sluice_rate_limit_requests_total{policy=\"default/limits\",outcome=\"allowed\"} 1\n"))
        #expect(
            metrics.contains("sluice_rate_limit_requests_total{policy=\"default/limits\",outcome=\"limited\"} 2\n"))
    }

    @Test(
        "What cannot be done is told of and answers 500",
        arguments: [
            (
                "{local: {rules: [{limit: {requests: 1, unit: Hour}}, {limit: {requests: 2, unit: Hour}}]}}",
                "clientSelectors"
            ),
            (
                "{local: {rules: [{clientSelectors: [{headers: [{name: a, type: RegularExpression, value: '('}]}], limit: {requests: 1, unit: Hour}}]}}",
                "regular expression"
            ),
            (
                "{local: {rules: [{clientSelectors: [{sourceCIDR: {value: nowhere}}], limit: {requests: 1, unit: Hour}}]}}",
                "range of addresses"
            ),
            (
                "{global: {rules: [{limit: {requests: 1, unit: Hour, fromMetadata: {namespace: a, key: b}}}]}}",
                "not supported by Sluice"
            ),
        ] as [(String, String)])
    func problems(rateLimit: String, word: String) throws {
        let backend = try Backend("b")
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port) + policy("  rateLimit: \(rateLimit)"))
        #expect(try Client(port: port).request().status == 500)
        let resources = try gateway.admin("/api/resources").text
        #expect(resources.contains("\"reason\":\"Invalid\"") && resources.contains(word), "\(resources)")
    }
}

/// A Redis server of a test, on a port of its own.
private final class RedisServer {
    let program: Program
    private let folder: TemporaryFolder

    init(port: UInt16, password: String = "") throws {
        folder = try TemporaryFolder()
        program = try Program(
            "/usr/bin/redis-server",
            ["--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", folder.path]
                + (password.isEmpty ? [] : ["--requirepass", password]),
            output: folder.path + "/output")
        try Wait.until("Redis to listen") { (try? Client(port: port)) != nil }
    }
}

@Suite("Rate limits in Redis", .serialized) struct RedisRateLimitTests {
    private static func isShared(_ gateway: Gateway) throws -> Bool {
        try gateway.admin("/metrics").text.contains("sluice_rate_limit_service_up{worker=\"0\"} 1\n")
    }

    private static let limit = policy("  rateLimit: {global: {rules: [{limit: {requests: 10, unit: Day}}]}}")

    @Test func twoGatewaysShareALimit() throws {
        let backend = try Backend("b")
        let redis = try Ports.free()
        let server = try RedisServer(port: redis, password: "s3cret:@")
        let ports = [try Ports.free(), try Ports.free()]
        let gateways = try ports.map {
            try Gateway(
                Manifests.simple(ports: [$0], backend: backend.port) + Self.limit,
                options: ["--rate-limit-redis", "redis://:s3cret%3A%40@127.0.0.1:\(redis)/3"])
        }
        for gateway in gateways { try Wait.until("Redis to be used") { try Self.isShared(gateway) } }
        let status = try gateways[0].admin("/api/status").text
        #expect(status.contains("\"address\":\"127.0.0.1:\(redis)/3\"") && !status.contains("s3cret"))
        let clients = try ports.map { try Client(port: $0) }
        let statuses = try (0..<14).map { try clients[$0 % 2].request().status }
        #expect(statuses.count { $0 == 200 } == 10, "\(statuses)")
        #expect(statuses.suffix(4).allSatisfy { $0 == 429 })
        _ = server
    }

    @Test func aServerThatDiesUnderTrafficCostsNoRequest() throws {
        let backend = try Backend("b")
        let redis = try Ports.free()
        var server: RedisServer? = try RedisServer(port: redis)
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port)
                + policy("  rateLimit: {global: {rules: [{limit: {requests: 1000000, unit: Day}}]}}"),
            options: ["--rate-limit-redis", "127.0.0.1:\(redis)", "--access-log", "off"])
        try Wait.until("Redis to be used") { try Self.isShared(gateway) }
        let load = Load(port: port, clients: 4)
        try load.waitForMore(200)
        let pid = try #require(server).program.pid
        kill(pid, SIGKILL)
        try load.waitForMore(200)
        try Wait.until("the loss to be told") { gateway.output.contains("Redis is away") }
        #expect(try !Self.isShared(gateway))
        server = nil
        server = try RedisServer(port: redis)
        try Wait.until("Redis to be used again") { try Self.isShared(gateway) }
        try load.waitForMore(200)
        let tally = try load.stop()
        #expect(tally.wrong.isEmpty && tally.broken == 0)
        #expect(gateway.output.ranges(of: "Redis is away").count == 1)
        #expect(gateway.output.contains("counted in Redis again"))
        _ = server
    }

    @Test func aServerThatHangsDelaysAMomentAndTheOwnCountGoesOn() throws {
        let backend = try Backend("b")
        let redis = try Ports.free()
        let server = try RedisServer(port: redis)
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port) + Self.limit,
            options: ["--rate-limit-redis", "127.0.0.1:\(redis)"])
        try Wait.until("Redis to be used") { try Self.isShared(gateway) }
        kill(server.program.pid, SIGSTOP)
        let client = try Client(port: port)
        let begin = SystemCalls.monotonicNow()
        let statuses = try (0..<12).map { _ in try client.request().status }
        let taken = SystemCalls.monotonicNow() - begin
        kill(server.program.pid, SIGCONT)
        #expect(statuses == Array(repeating: 200, count: 10) + [429, 429])
        #expect(taken < .seconds(5), "\(taken.milliseconds) ms")
        let fallbacks = try gateway.admin("/metrics").text
        #expect(fallbacks.contains("sluice_rate_limit_fallbacks_total 12\n"))
    }

    @Test func aServerThatNeverWasThereIsTold() throws {
        let backend = try Backend("b")
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port) + Self.limit,
            options: ["--rate-limit-redis", "127.0.0.1:\(try Ports.free())"])
        try Wait.until("it to be told") { gateway.output.contains("Redis is away") }
        let client = try Client(port: port)
        #expect(try (0..<11).map { _ in try client.request().status } == Array(repeating: 200, count: 10) + [429])
    }
}
