import Core
import Glibc
import IO
import Support
import Testing

/// What the death of one process costs the others, and those who use the gateway.
@Suite(.serialized) struct CrashTests {
    /// How many sockets a process has open (proc(5), fd).
    private func sockets(of pid: Int32) -> Int {
        guard let folder = opendir("/proc/\(pid)/fd") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        var target = [CChar](repeating: 0, count: 64)
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let length = readlink("/proc/\(pid)/fd/\(name)", &target, target.count)
            let text = String(decoding: target[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("socket:") { count += 1 }
        }
        return count
    }

    private func waitForNewWorker(_ index: Int, after old: Int32, _ gateway: Gateway) throws {
        try Wait.until("worker \(index) to be back; it printed:\n\(gateway.output)") {
            guard let pid = gateway.worker(index) else { return false }
            return pid != old && gateway.output.contains("worker is ready")
        }
    }

    @Test func killedWorkerTakesOnlyItsOwnConnectionsAlong() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port), workers: 2)
        let victim = try #require(gateway.worker(0))
        let survivor = try #require(gateway.worker(1))
        let before = sockets(of: survivor)
        let clients = try (0..<40).map { _ in try Client(port: port) }
        // At the same time on the way: whichever worker has it, its backend connection is its own.
        for client in clients { try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        for client in clients { #expect(try client.readResponse().status == 200) }
        let kept = sockets(of: survivor) - before
        let load = Load(port: port, clients: 4)
        try load.waitForMore(50)
        let watch = Stopwatch()
        kill(victim, SIGKILL)
        try waitForNewWorker(0, after: victim, gateway)
        print("measured: a killed worker was back after \(watch.elapsed.milliseconds) ms (debug build)")
        try load.waitForMore(50)
        let tally = try load.stop()
        // No more than one exchange of each client, and only of those that the victim served; nobody was refused.
        #expect(tally.broken <= 4)
        #expect(tally.refused == 0)
        #expect(tally.wrong.isEmpty)
        var alive = 0
        for client in clients where (try? client.request().status) == 200 { alive += 1 }
        // Upstream connections are sockets of the survivor, too: it has at least as many as clients that live on.
        #expect(alive > 0 && alive < clients.count && alive <= kept)
        #expect(gateway.worker(1) == survivor)
        #expect(gateway.output.contains("by=SIGKILL"))
    }

    @Test func trapInAWorkerIsItsOwn() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), workers: 2,
            environment: ["SLUICE_TRAP": "/__trap"])
        let load = Load(port: port, clients: 4)
        try load.waitForMore(50)
        let pids = [gateway.worker(0), gateway.worker(1)]
        #expect(throws: ClientError.self) { try Client(port: port).request("GET", "/__trap") }
        let index = try Wait.forValue("a worker to be replaced") {
            [0, 1].first { gateway.worker($0) != nil && gateway.worker($0) != pids[$0] }
        }
        try load.waitForMore(50)
        let tally = try load.stop()
        #expect(tally.broken <= 4 && tally.refused == 0 && tally.wrong.isEmpty, "\(tally)")
        #expect(gateway.worker(1 - index) == pids[1 - index])
        #expect(gateway.output.contains("by=SIGILL") || gateway.output.contains("by=SIGTRAP"))
    }

    @Test func killedControllerCostsNothing() throws {
        let backend = try Backend("first")
        let other = try Backend("second")
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port), workers: 2)
        let idle = try Client(port: port)
        #expect(try idle.request().text == "first")
        let load = Load(port: port, clients: 4)
        try load.waitForMore(50)
        let controller = try #require(gateway.controller)
        kill(controller, SIGKILL)
        try Wait.until("another controller") { gateway.controller.map { $0 != controller } ?? false }
        try gateway.waitUntilReady()
        #expect(gateway.generation == 1)
        try load.waitForMore(50)
        try gateway.reload(["gateway.yaml": Manifests.simple(ports: [port], backend: other.port)])
        #expect(gateway.generation == 2)
        // The same connection, the new configuration.
        #expect(try idle.request().text == "second")
        try load.waitForMore(50)
        let tally = try load.stop()
        #expect(tally.isClean, "\(tally)")
    }

    @Test func controllerThatKeepsDyingDoesNotDisturbTheWorkers() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port), workers: 2)
        let workers = [gateway.worker(0), gateway.worker(1)]
        let load = Load(port: port, clients: 4)
        // As soon as there is one it dies, whatever it was about to do.
        try Wait.until("a long pause between its starts; it printed:\n\(gateway.output)") {
            if let controller = gateway.controller { kill(controller, SIGKILL) }
            return gateway.output.contains("milliseconds=400")
        }
        try load.waitForMore(20)
        let tally = try load.stop()
        #expect(tally.isClean, "\(tally)")
        #expect([gateway.worker(0), gateway.worker(1)] == workers)
        #expect(gateway.output.split(separator: "\n").filter { $0.contains("controller died") }.count <= 7)
        // Left alone, it comes back and reload works.
        try gateway.waitUntilReady()
        try gateway.reload()
        #expect(gateway.generation == 2)
    }
}
