import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

/// `healthCheck.passive` through the program.
@Suite("Outlier detection", .serialized)
struct OutlierTests {
    /// A backend that fails so many of every five requests, spread evenly.
    private final class Failing: Sendable {
        private final class State: Sendable { let numbers = Mutex((asked: 0, failing: 0)) }
        private let state = State()
        let backend: Backend

        init(_ name: String) throws {
            let state = state
            backend = try Backend(name) { _ in
                let fails = state.numbers.withLock { numbers in
                    numbers.asked += 1
                    // The second and the fifth of five: never two in a row.
                    return numbers.failing == 5 || numbers.failing == 2 && [0, 2].contains(numbers.asked % 5)
                }
                return .response(status: fails ? 500 : 200, body: name)
            }
        }
        var port: UInt16 { backend.port }
        func fail(ofFive count: Int) { state.numbers.withLock { $0.failing = count } }
    }

    private func ask(_ port: UInt16, _ clients: Int = 4, until condition: () throws -> Bool) throws {
        let clients = try (0..<clients).map { _ in try Client(port: port) }
        try Wait.until("the requests to have their effect") {
            for client in clients { _ = try client.request() }
            return try condition()
        }
    }

    @Test("an endpoint that fails 40 % evenly, never five in a row, is ejected, and is back when it has recovered")
    func evenly() throws {
        let backends = try [Failing("one"), Failing("two"), Failing("three")]
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(
                port: port,
                healthCheck: "{passive: {interval: 100ms, baseEjectionTime: 300ms, maxEjectionPercent: 50}}",
                places: backends.map { .init($0.port) }
            ).text, workers: 2)
        backends[0].fail(ofFive: 2)
        try ask(port) { try gateway.endpoint(backends[0].port).contains("\"health\":\"ejected\"") }
        #expect(
            try gateway.endpoint(backends[0].port).contains(
                "\"healthReason\":\"success rate below the other endpoints'\",\"usable\":false"))
        #expect(try !gateway.endpoint(backends[0].port).contains("\"ejectedUntil\":null"))
        // As long as it fails it is out again and again, each time for longer.
        try ask(port) { try gateway.admin("/metrics").text.contains("endpoint=\"127.0.0.1:\(backends[0].port)\"} 2\n") }
        backends[0].fail(ofFive: 0)
        try ask(port) { try gateway.endpoint(backends[0].port).contains("\"health\":\"healthy\"") }
        let before = backends[0].backend.requests.count
        try ask(port) { backends[0].backend.requests.count > before + 20 }
        let log = gateway.output
        #expect(log.contains("an endpoint is ejected") && log.contains("an ejected endpoint is back"))
        // The others were never out.
        #expect(try gateway.endpoint(backends[1].port).contains("\"ejections\":0"))
        #expect(try gateway.endpoint(backends[2].port).contains("\"ejections\":0"))
    }

    @Test("five errors in a row eject, counted over all workers, and one request on probation decides")
    func consecutive() throws {
        let backends = try [Failing("one"), Failing("two")]
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(
                port: port,
                healthCheck: "{passive: {interval: 60s, baseEjectionTime: 500ms, maxEjectionPercent: 50}}",
                places: backends.map { .init($0.port) }
            ).text, workers: 3)
        backends[0].fail(ofFive: 5)
        try ask(port, 1) { try gateway.endpoint(backends[0].port).contains("\"health\":\"ejected\"") }
        #expect(backends[0].backend.requests.count == 5)
        #expect(try gateway.endpoint(backends[0].port).contains("consecutive 5xx errors"))
        // The ejection's end is no return: one request finds out, and the next ejection is longer.
        try ask(port) { backends[0].backend.requests.count == 6 }
        try Wait.until("the next ejection") {
            try gateway.endpoint(backends[0].port).contains("\"ejections\":2")
        }
        #expect(try gateway.endpoint(backends[0].port).contains("failed on probation"))
        backends[0].fail(ofFive: 0)
        try ask(port) { backends[0].backend.requests.count > 20 }
        #expect(try gateway.endpoint(backends[0].port).contains("\"health\":\"healthy\""))
    }

    @Test("an answer counts when its head is there, however long its body takes")
    func atTheHead() throws {
        let slow = try Backend("slow") { backend, connection, number in
            guard try backend.readRequest(connection, number) != nil else { return }
            try connection.send("HTTP/1.1 500 Sorry\r\nContent-Length: 100\r\n\r\nSo")
            _ = try connection.readToEnd()
        }
        let other = try Backend("other")
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(
                port: port, healthCheck: "{passive: {baseEjectionTime: 60s, maxEjectionPercent: 50}}",
                // Who has most under way is asked least, otherwise.
                more: "loadBalancer: {type: RoundRobin}", places: [.init(slow.port), .init(other.port)]
            ).text, workers: 2)
        var clients: [Client] = []
        try Wait.until("five answers to have begun") {
            let client = try Client(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.readHead()
            clients.append(client)
            return slow.requests.count == 5
        }
        try gateway.waitFor(slow.port, toBe: "ejected")
        #expect(slow.open == 5, "none of them has ended")
    }

    @Test("no more are out than maxEjectionPercent allows")
    func atMost() throws {
        let backends = try (0..<4).map { try Failing("\($0)") }
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(
                port: port, healthCheck: "{passive: {baseEjectionTime: 60s, maxEjectionPercent: 50}}",
                places: backends.map { .init($0.port) }
            ).text, workers: 2)
        for backend in backends { backend.fail(ofFive: 5) }
        try ask(port) { backends.reduce(0) { $0 + $1.backend.requests.count } > 100 }
        let text = try gateway.admin("/api/backends").text
        #expect(text.ranges(of: "\"health\":\"ejected\"").count == 2)
    }
}
