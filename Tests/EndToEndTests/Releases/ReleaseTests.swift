import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

@Suite("Releases", .serialized) struct ReleaseTests {
    private static func route(_ weights: (stable: Int, canary: Int), annotations: String, rule: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata:
          name: shop
          annotations:
        \(annotations)
        spec:
          parentRefs: [{name: gateway}]
          rules:
          - name: all
            backendRefs:
            - {name: v1, port: 80, weight: \(weights.stable)}
            - {name: v2, port: 80, weight: \(weights.canary)}
            \(rule)
        ---

        """
    }

    private static func services(_ v1: UInt16, _ v2: UInt16) -> String {
        Manifests.service("v1", port: v1) + Manifests.service("v2", port: v2)
    }

    @Test("10,000 users, weights 5, 20, 50 with reloads between: nobody moves back")
    func keyedSplit() throws {
        let (v1, v2) = (try Backend("v1"), try Backend("v2"))
        let port = try Ports.free()
        func manifests(_ canary: Int) -> String {
            Manifests.gateway(ports: [port])
                + Self.route((100 - canary, canary), annotations: "    sluice.dev/split-key: all=header:x-user")
                + Self.services(v1.port, v2.port)
        }
        let gateway = try Gateway(manifests(5), workers: 2, options: ["--access-log", "off"])
        var onCanary = Set<Int>()
        for weight in [5, 20, 50] {
            if weight > 5 { try gateway.reload(["gateway.yaml": manifests(weight)]) }
            var now = Set<Int>()
            // Several connections, so that both workers are asked.
            for part in 0..<8 {
                let client = try Client(port: port)
                for user in stride(from: part, to: 10_000, by: 8) {
                    let answer = try client.request("GET", "/", host: "a", fields: [("X-User", "user-\(user)")])
                    if answer.text == "v2" { now.insert(user) }
                }
            }
            #expect(onCanary.isSubset(of: now), "\(onCanary.subtracting(now).count) moved back at \(weight) %")
            #expect(abs(now.count - weight * 100) < 200, "\(now.count) at \(weight) %")
            onCanary = now
        }
    }

    @Test func sessionsOutliveReloadsCrashesAndRestarts() throws {
        let (v1, v2) = (try Backend("v1"), try Backend("v2"))
        let port = try Ports.free()
        let state = try TemporaryFolder()
        func manifests(_ canary: Int) -> String {
            Manifests.gateway(ports: [port])
                + Self.route(
                    (100 - canary, canary), annotations: "    a: b",
                    rule: "sessionPersistence: {absoluteTimeout: 1h, cookie: {name: s, lifetimeType: Permanent}}")
                + Self.services(v1.port, v2.port)
        }
        let options = ["--access-log", "off", "--state-dir", state.path]
        var cookies: [(home: String, cookie: String)] = []
        do {
            let gateway = try Gateway(manifests(50), workers: 2, options: options)
            for _ in 0..<6 {
                let answer = try Client(port: port).request("GET", "/", host: "a")
                let cookie = try #require(answer["set-cookie"])
                #expect(cookie.contains("; Path=/; Max-Age=3600; HttpOnly"))
                cookies.append((answer.text, String(cookie.prefix { $0 != ";" })))
            }
            #expect(Set(cookies.map(\.home)) == ["v1", "v2"])
            func expectHomes() throws {
                for (home, cookie) in cookies {
                    let answer = try Client(port: port).request("GET", "/", host: "a", fields: [("Cookie", cookie)])
                    #expect(answer.text == home && answer["set-cookie"] == nil)
                }
            }
            try expectHomes()
            try gateway.reload(["gateway.yaml": manifests(1)])
            try expectHomes()
            kill(try #require(gateway.worker(0)), SIGKILL)
            kill(try #require(gateway.controller), SIGKILL)
            try gateway.waitUntilReady()
            try expectHomes()
            // Nobody's who was not given it.
            let forged = String(cookies[0].cookie.dropLast()) + (cookies[0].cookie.last == "0" ? "1" : "0")
            let answer = try Client(port: port).request("GET", "/", host: "a", fields: [("Cookie", forged)])
            #expect(answer["set-cookie"] != nil)
            try gateway.stop()
        }
        let gateway = try Gateway(manifests(50), workers: 1, options: options)
        for (home, cookie) in cookies {
            let answer = try Client(port: port).request("GET", "/", host: "a", fields: [("Cookie", cookie)])
            #expect(answer.text == home)
        }
        try gateway.stop()
    }

    private static let rollout = """
            sluice.dev/rollout: |
              canary: v2
              stable: v1
              steps: [20, 50, 100]
              interval: 100ms
              minRequests: 50
              maxP99Ratio: 0
        """

    /// Requests until `done`, and what they came to.
    private func load(_ port: UInt16, _ what: String, until done: () throws -> Bool) throws {
        let client = try Client(port: port)
        let watch = Stopwatch()
        while try !done() {
            for _ in 0..<20 { _ = try client.request("GET", "/", host: "a") }
            if watch.elapsed > Wait.patience { throw TimedOut(what) }
        }
    }

    @Test func aFailingCanaryIsRolledBackAndStaysSo() throws {
        let fails = Mutex(true)
        let v1 = try Backend("v1")
        let failing = try Backend("v2") { _ in
            fails.withLock { $0 } ? .response(status: 500, body: "v2") : .response(body: "v2")
        }
        let port = try Ports.free()
        let state = try TemporaryFolder()
        func manifests(_ change: String = "") -> String {
            Manifests.gateway(ports: [port])
                + Self.route((100, 0), annotations: Self.rollout + change) + Self.services(v1.port, failing.port)
        }
        let options = ["--access-log", "off", "--state-dir", state.path]
        do {
            let gateway = try Gateway(manifests(), workers: 2, options: options)
            try load(port, "no rollback; the gateway printed:\n\(gateway.output)") {
                try gateway.admin("/api/rollouts").text.contains(#""phase":"rolledBack""#)
            }
            #expect(failing.requests.count < 500)
            let status = try gateway.admin("/api/status").text
            #expect(status.contains("the canary fails more"))
            #expect(gateway.output.contains("a rollout was rolled back"))
            #expect(try gateway.admin("/api/resources").text.contains(#""reason":"RolledBack""#))
            #expect(
                try gateway.admin("/metrics").text.contains(
                    #"sluice_rollout_phase{route="default/shop",rule="all",phase="rolledBack"} 1"#))
            fails.withLock { $0 = false }
            func expectStable(_ when: String) throws {
                let before = failing.requests.count
                let client = try Client(port: port)
                for _ in 0..<50 { #expect(try client.request("GET", "/", host: "a").text == "v1", "\(when)") }
                #expect(failing.requests.count == before, "\(when)")
            }
            try expectStable("afterwards")
            // The same rule, written again; another route beside it.
            try gateway.reload([
                "more.yaml": Manifests.route("other", to: "v1").replacing(
                    "- backendRefs", with: "- matches: [{path: {value: /other}}]\n    backendRefs")
            ])
            try expectStable("after a reload")
            kill(try #require(gateway.worker(0)), SIGKILL)
            let controller = try #require(gateway.controller)
            kill(controller, SIGKILL)
            try Wait.until("another controller") { gateway.controller.map { $0 != controller } ?? false }
            try gateway.waitUntilReady()
            try expectStable("after crashes")
            try gateway.stop()
        }
        let gateway = try Gateway(manifests(), workers: 2, options: options)
        let client = try Client(port: port)
        for _ in 0..<30 { #expect(try client.request("GET", "/", host: "a").text == "v1", "after a restart") }
        #expect(gateway.output.contains("a rollout is taken up"))
        // Written anew, it begins anew, and this time it is good.
        try gateway.reload(["gateway.yaml": manifests("\n      version: 2")])
        try load(port, "not complete; the gateway printed:\n\(gateway.output)") {
            try gateway.admin("/api/rollouts").text.contains(#""phase":"completed""#)
        }
        for _ in 0..<20 { #expect(try client.request("GET", "/", host: "a").text == "v2") }
        try gateway.stop()
    }
}
