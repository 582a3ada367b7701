import Core
import Glibc
import IO
import Support
import Testing

/// A service whose calls kill workers, among others of its group.
@Suite("Services that kill workers", .serialized) struct IsolationTests {
    private func gateway(workers: Int, port: UInt16, good: UInt16, bad: UInt16) throws -> Gateway {
        func member(_ name: String, _ port: UInt16) -> String {
            Manifests.service(name, port: port)
                .replacing(
                    "{name: \(name), namespace: default}",
                    with: "{name: \(name), namespace: default, labels: {sluice.dev/gateway: mesh}}")
        }
        return try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: mesh, annotations: {sluice.dev/group: by-name}}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: calls, protocol: HTTP, port: \(port)}]
            ---

            """ + member("good", good) + member("bad", bad), workers: workers, environment: ["SLUICE_TRAP": "/__trap"])
    }

    /// Has a worker die of a call to `bad`, and waits for its successor.
    private func kill(_ gateway: Gateway, _ port: UInt16, deaths: Int) throws {
        #expect(throws: ClientError.self) { try Client(port: port).request("GET", "/__trap", host: "bad.default") }
        try Wait.until("the successor's word on the \(deaths). death; it printed:\n\(gateway.output)") {
            gateway.output.contains("this worker's predecessor died of serving a service")
                && gateway.output.contains("deaths=\(deaths)")
        }
    }

    @Test func twiceTheSameInputIsolatesTheServiceByName() throws {
        let (good, bad) = (try Backend("good"), try Backend("bad"))
        let port = try Ports.free()
        let gateway = try gateway(workers: 2, port: port, good: good.port, bad: bad.port)
        #expect(try Client(port: port).request(host: "bad.default").text == "bad")
        try kill(gateway, port, deaths: 1)
        #expect(!gateway.output.contains("one worker alone serves it"))
        try kill(gateway, port, deaths: 2)
        #expect(gateway.output.contains("one worker alone serves it"))
        #expect(gateway.output.contains("service=default/bad") && gateway.output.contains("input=\"request head\""))
        // Whichever worker takes it, each service is there.
        for _ in 0..<10 {
            #expect(try Client(port: port).request(host: "good.default").text == "good")
            #expect(try Client(port: port).request(host: "bad.default").text == "bad")
        }
        // And what kills now kills the one worker that is kept for it.
        let spared = gateway.worker(0)
        for deaths in 3...4 {
            _ = try? Client(port: port).request("GET", "/__trap", host: "bad.default")
            try Wait.until("the last worker's successor; it printed:\n\(gateway.output)") {
                gateway.output.contains("deaths=\(deaths)")
            }
        }
        #expect(gateway.worker(0) == spared)
        #expect(try Client(port: port).request(host: "good.default").text == "good")
        let page = try gateway.admin("/api/flows").text
        #expect(page.contains("\"workerDeaths\":4"))
        #expect(try gateway.admin("/metrics").text.contains("sluice_service_isolated{service=\"default/bad\"} 1"))
        #expect(!(try gateway.admin("/metrics").text.contains("sluice_service_isolated{service=\"default/good\"}")))
    }

    /// The name of the socket is the family's as long as there is one: while the worker that serves it is dead too.
    @Test func nobodyElseCanTakeTheIsolatedServices() throws {
        let (good, bad) = (try Backend("good"), try Backend("bad"))
        let port = try Ports.free()
        let gateway = try gateway(workers: 2, port: port, good: good.port, bad: bad.port)
        let names = Set(Self.isolationSockets(of: gateway.program.pid))
        let name = try #require(names.first)
        #expect(names.count == 1)
        for _ in 0..<3 {
            let victim = try #require(gateway.worker(1))
            Glibc.kill(victim, SIGKILL)
            while gateway.worker(1) == victim {
                #expect(throws: Errno(EADDRINUSE)) { _ = try Socket.listen(path: name) }
            }
            try Wait.until("the last worker's successor") { gateway.worker(1).map { $0 != victim } ?? false }
        }
        #expect(Set(Self.isolationSockets(of: gateway.program.pid)) == names)
        try kill(gateway, port, deaths: 1)
        try kill(gateway, port, deaths: 2)
        for _ in 0..<10 { #expect(try Client(port: port).request(host: "bad.default").text == "bad") }
    }

    /// The names of such sockets that a process holds, as proc(5) tells.
    private static func isolationSockets(of pid: pid_t) -> [String] {
        var held: Set<String> = []
        for number in 0..<256 {
            var octets = [UInt8](repeating: 0, count: 128)
            let count = octets.withUnsafeMutableBytes {
                readlink("/proc/\(pid)/fd/\(number)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), 127)
            }
            if count > 9 { held.insert(String(decoding: octets[8..<(count - 1)], as: UTF8.self)) }
        }
        let lines = String(decoding: Files.octets("/proc/net/unix"), as: UTF8.self).split(separator: "\n")
        return lines.compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 8, held.contains(String(words[6])), words[7].hasPrefix("@sluice-isolated-") else {
                return nil
            }
            // Filled up with NUL, which is shown so, too.
            return "@" + words[7].dropFirst().prefix { $0 != "@" }
        }
    }

    /// The last worker, which has nothing to do, is gone while another one still has a call for it.
    @Test func aCallDuringADrainIsAnswered() throws {
        let (good, bad) = (try Backend("good"), try Backend("bad"))
        let port = try Ports.free()
        let gateway = try gateway(workers: 2, port: port, good: good.port, bad: bad.port)
        try kill(gateway, port, deaths: 1)
        try kill(gateway, port, deaths: 2)
        let clients = try (0..<16).map { _ in try Client(port: port) }
        for client in clients { #expect(try client.request(host: "good.default").text == "good") }
        // Those that the last worker serves go with it.
        let victim = try #require(gateway.worker(1))
        Glibc.kill(victim, SIGKILL)
        try Wait.until("the last worker's successor") { gateway.worker(1).map { $0 != victim } ?? false }
        let client = try #require(clients.first { !$0.isClosedByPeer(within: .milliseconds(300)) })
        #expect(try client.request(host: "bad.default").text == "bad")
        try client.send("GET / HTTP/1.1\r\nHost: bad.default\r\n")
        gateway.program.signal(SIGTERM)
        try Wait.until("the last worker to be gone") { gateway.worker(1) == nil }
        try client.send("\r\n")
        // Nobody is there who may serve it: that is said, and at once.
        #expect(try client.readResponse().status == 503, "\(gateway.output)")
    }

    @Test func whereThereIsOneWorkerTheServiceIsRefusedForAWhile() throws {
        let (good, bad) = (try Backend("good"), try Backend("bad"))
        let port = try Ports.free()
        let gateway = try gateway(workers: 1, port: port, good: good.port, bad: bad.port)
        try kill(gateway, port, deaths: 1)
        #expect(try Client(port: port).request(host: "bad.default").text == "bad")
        try kill(gateway, port, deaths: 2)
        #expect(gateway.output.contains("it is refused for a while after each death"))
        let refused = try Client(port: port).request(host: "bad.default")
        #expect(refused.status == 503 && refused.text.contains("this service has killed the gateway's worker"))
        #expect(try Client(port: port).request(host: "good.default").text == "good")
    }
}
