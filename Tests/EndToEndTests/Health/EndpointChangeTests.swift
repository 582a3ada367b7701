import Core
import Glibc
import IO
import Support
import Testing

/// Endpoints that leave, are taken away, or die.
@Suite("Endpoints that go", .serialized)
struct EndpointChangeTests {
    @Test("a terminating endpoint finishes what it has and gets nothing new")
    func terminating() throws {
        let staying = try Backend("staying")
        let slow = try Backend("slow") { backend, connection, number in
            guard try backend.readRequest(connection, number) != nil else { return }
            // It answers when the test connects, which is after the change.
            try Wait.until("the change") { backend.accepted > 1 }
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
        }
        let port = try Ports.free()
        var site = HealthSite(port: port, healthCheck: "{passive: {}}", places: [.init(slow.port)])
        let gateway = try Gateway(site.manifests)
        let client = try Client(port: port)
        try client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        try Wait.until("the request to be there") { slow.requests.count == 1 }
        site.places = [
            .init(slow.port, conditions: "{ready: false, serving: true, terminating: true}"), .init(staying.port),
        ]
        try gateway.reload(site.manifests.mapValues { $0 })
        for _ in 0..<10 { #expect(try Client(port: port).request().text == "staying") }
        #expect(slow.requests.count == 1)
        let waker = try Client(port: slow.port)
        #expect(try client.readResponse().text == "slow")
        waker.shutdown()
    }

    @Test("where most endpoints are taken away, those that pass their checks stay, until they fail or are named again")
    func selfPreservation() throws {
        let backends = try (0..<3).map { try Backend("\($0)") }
        let port = try Ports.free()
        var site = HealthSite(
            port: port,
            healthCheck: "{active: {type: HTTP, interval: 50ms, unhealthyThreshold: 2, http: {path: /healthz}}}",
            places: backends.map { .init($0.port) })
        let gateway = try Gateway(site.manifests)
        for backend in backends { try gateway.waitFor(backend.port, toBe: "healthy") }
        site.places = [.init(backends[0].port)]
        try gateway.reload(site.manifests.mapValues { $0 })
        func isStale(_ number: Int) throws -> Bool {
            try gateway.endpoint(backends[number].port).contains("\"stale\":true")
        }
        #expect(try (0..<3).map { try isStale($0) } == [false, true, true])
        let client = try Client(port: port)
        var answered: Set<String> = []
        try Wait.until("all three to be asked") {
            answered.insert(try client.request().text)
            return answered == ["0", "1", "2"]
        }
        #expect(try gateway.admin("/metrics").text.contains("sluice_endpoints_stale 2\n"))
        #expect(gateway.output.contains("most of a backend's endpoints were taken away"))
        // One dies: it goes.
        backends[1].stop()
        try Wait.until("it to go") { try gateway.endpoint(backends[1].port).isEmpty }
        #expect(try isStale(2))
        // The other is named again.
        site.places.append(.init(backends[2].port))
        try gateway.reload(site.manifests.mapValues { $0 })
        #expect(try (isStale(0), isStale(2)) == (false, false))
        // What is said to be terminating goes at once.
        site.places = [
            .init(backends[0].port, conditions: "{ready: false, terminating: true}"),
            .init(backends[2].port, conditions: "{ready: false, terminating: true}"),
        ]
        try gateway.reload(site.manifests.mapValues { $0 })
        #expect(try gateway.endpoint(backends[2].port).isEmpty)
    }

    /// By hand for longer: `SLUICE_TEST_CHAOS_SECONDS=300 swift test --filter EndpointChangeTests`.
    @Test("backends that are killed and started again at random under load: no client notices")
    func chaos() throws {
        let seconds = getenv("SLUICE_TEST_CHAOS_SECONDS").flatMap { Int64(String(cString: $0)) } ?? 20
        let folder = try TemporaryFolder()
        let ports = try (0..<3).map { _ in try Ports.free() }
        func start(_ number: Int) throws -> Program {
            let program = try Program(
                Program.built("sluice"), ["echo", "--listen", "127.0.0.1:\(ports[number])", "--name", "\(number)"],
                output: folder.path + "/echo-\(number)")
            try Wait.until("echo \(number); \(program.output)") { program.output.contains(" listens on ") }
            return program
        }
        var programs = try (0..<3).map { try start($0) }
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(
                port: port,
                healthCheck:
                    "{active: {type: HTTP, interval: 100ms, timeout: 2s, unhealthyThreshold: 1, http: {path: /status/200}},"
                    + " passive: {baseEjectionTime: 200ms, maxEjectionPercent: 70}}",
                rule: "retry: {attempts: 5, backoff: 5ms}", places: ports.map { .init($0) }
            ).text, workers: 2)
        for port in ports { try gateway.waitFor(port, toBe: "healthy") }
        let load = Load(port: port, clients: 8)
        let watch = Stopwatch()
        var random = SeededRandom(seed: UInt64(watch.elapsed.nanoseconds))
        var deaths = 0
        // The first is always up.
        while watch.elapsed < .seconds(seconds) {
            let number = Int(random.next() % 2) + 1
            programs[number].signal(SIGKILL)
            _ = try programs[number].waitForEnd()
            deaths += 1
            try load.waitForMore(Int(random.next() % 200))
            programs[number] = try start(number)
            try load.waitForMore(Int(random.next() % 400))
        }
        let tally = try load.stop()
        #expect(tally.wrong == [] && tally.broken == 0 && tally.refused == 0, "\(tally), \(deaths) deaths")
        #expect(tally.answered > 1000 && deaths > 3)
        _ = try gateway.stop()
    }
}
