import Core
import Glibc
import IO
import Support
import Testing

/// A worker at its limit of descriptors: idle connections go first, then new ones are refused; never a busy loop.
@Suite(.serialized) struct DescriptorTests {
    private static let limit = 256

    @Test func idleConnectionsMakeRoomForNewOnes() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), descriptorLimit: Self.limit)
        var clients: [Client] = []
        for _ in 0..<Self.limit {
            let client = try Client(port: port)
            // Each was served, however many sit idle before it.
            #expect(try client.request().status == 200)
            clients.append(client)
        }
        let closed = clients.filter { !$0.isQuiet }.count
        #expect(closed > 0 && closed < clients.count)
        #expect(try #require(clients.last).request().status == 200)
        #expect(try gateway.admin("/readyz").status == 200)
    }

    @Test func whoFindsNoPlaceIsToldWithoutSpinning() throws {
        let gate = Gate()
        let backend = try Backend { _ in
            gate.wait()
            return .response()
        }
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), descriptorLimit: Self.limit)
        let worker = try #require(gateway.worker(0))
        let clients = try (0..<Self.limit).map { _ in try Client(port: port) }
        for client in clients { try? client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        // As many as it has room for are with the backend; the number stands still.
        var seen = -1
        try Wait.until("a standstill") {
            defer { seen = backend.requests.count }
            usleep(300_000)
            return seen > 0 && seen == backend.requests.count
        }
        #expect(seen < clients.count)
        let before = Program.cpuTicks(worker)
        usleep(1_000_000)
        let used = Program.cpuTicks(worker) - before
        // A hundred ticks are a second: a loop that spins takes most of them.
        #expect(used < 30, "\(used) ticks of 100")
        #expect(try gateway.admin("/readyz").status == 200)
        gate.open()
        let answers = clients.map { (try? $0.readResponse().status) ?? 0 }
        #expect(answers.filter { $0 == 200 }.count == seen)
        #expect(answers.filter { $0 == 503 }.count > clients.count / 2)
    }
}
