import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

/// `healthCheck.active` through the program.
@Suite("Active health checks", .serialized)
struct ActiveCheckTests {
    /// A backend whose health can be switched.
    private final class Switched: Sendable {
        private final class State: Sendable { let isWell = Mutex(true) }
        private let state: State
        let backend: Backend

        init(_ name: String) throws {
            let state = State()
            self.state = state
            backend = try Backend(name) { request in
                guard request.target == "/healthz" else { return .response(body: name) }
                return .response(status: state.isWell.withLock { $0 } ? 200 : 503)
            }
        }
        var port: UInt16 { backend.port }
        func set(_ isWell: Bool) { state.isWell.withLock { $0 = isWell } }
        var probes: Int { backend.requests.count { $0.target == "/healthz" } }
    }

    private let check =
        "{active: {type: HTTP, interval: 50ms, timeout: 2s, unhealthyThreshold: 2, http: {path: /healthz}}}"

    private func names(_ client: Client, _ count: Int) throws -> Set<String> {
        var names: Set<String> = []
        for _ in 0..<count { names.insert(try client.request().text) }
        return names
    }

    @Test("an endpoint that fails its checks gets nothing, and is back when it passes them")
    func failing() throws {
        let (one, two) = (try Switched("one"), try Switched("two"))
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(port: port, healthCheck: check, places: [.init(one.port), .init(two.port)]).text, workers: 2)
        try gateway.waitFor(one.port, toBe: "healthy")
        try gateway.waitFor(two.port, toBe: "healthy")
        one.set(false)
        try gateway.waitFor(one.port, toBe: "unhealthy")
        #expect(try gateway.endpoint(one.port).contains("\"healthReason\":\"status 503\",\"usable\":false"))
        // Every worker knows.
        for _ in 0..<8 { #expect(try names(Client(port: port), 4) == ["two"]) }
        #expect(try gateway.admin("/metrics").text.contains("endpoint=\"127.0.0.1:\(one.port)\"} 0\n"))
        one.set(true)
        try gateway.waitFor(one.port, toBe: "healthy")
        #expect(try names(Client(port: port), 20) == ["one", "two"])
        let log = gateway.output
        #expect(log.contains("an endpoint fails its health checks and gets no requests"))
        #expect(log.contains("reason=\"status 503\""))
    }

    @Test("no endpoint that is well is no answer: 503, and not a try at those that are not")
    func noneIsWell() throws {
        let one = try Switched("one")
        one.set(false)
        let port = try Ports.free()
        let gateway = try Gateway(HealthSite(port: port, healthCheck: check, places: [.init(one.port)]).text)
        try gateway.waitFor(one.port, toBe: "unhealthy")
        #expect(try Client(port: port).request().status == 503)
        #expect(one.backend.requests.allSatisfy { $0.target == "/healthz" })
    }

    @Test("an endpoint is probed once an interval, whatever the number of workers and routes")
    func once() throws {
        let one = try Switched("one")
        let port = try Ports.free()
        let site = HealthSite(
            port: port, healthCheck: "{active: {type: HTTP, interval: 100ms, http: {path: /healthz}}}",
            places: [.init(one.port)])
        // A second route to the same Service under the same policy.
        let text =
            site.text.replacing(
                "name: route}]", with: "name: route}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: other}]"
            )
            + Manifests.route("other", to: "backend", rule: "matches: [{path: {value: /other}}]")
        let gateway = try Gateway(text, workers: 3)
        try gateway.waitFor(one.port, toBe: "healthy")
        let watch = Stopwatch()
        let before = one.probes
        try Wait.until("ten probes") { one.probes >= before + 10 }
        // Ten intervals at least lie between eleven probes; four workers or routes would take a quarter of that.
        #expect(watch.elapsed >= .milliseconds(800))
    }

    @Test("what is known outlives reloads, and the controller's death")
    func survives() throws {
        let (one, two) = (try Switched("one"), try Switched("two"))
        let port = try Ports.free()
        let site = HealthSite(port: port, healthCheck: check, places: [.init(one.port), .init(two.port)])
        let gateway = try Gateway(site.manifests)
        one.set(false)
        try gateway.waitFor(one.port, toBe: "unhealthy")
        var changed = site
        changed.rule = "name: changed"
        try gateway.reload(changed.manifests.mapValues { $0 })
        #expect(try names(Client(port: port), 10) == ["two"])
        let old = try #require(gateway.controller)
        kill(old, SIGKILL)
        try Wait.until("another controller") { gateway.controller.map { $0 != old } ?? false }
        #expect(try names(Client(port: port), 10) == ["two"])
        try gateway.waitUntilReady()
        // It goes on where the other was: two more successes would not be needed to notice, but one is.
        #expect(try gateway.endpoint(one.port).contains("\"health\":\"unhealthy\""))
        one.set(true)
        try gateway.waitFor(one.port, toBe: "healthy")
        #expect(try names(Client(port: port), 20) == ["one", "two"])
    }

    @Test("a new endpoint gets nothing before it has passed a check, while others pass theirs")
    func untried() throws {
        let (one, two) = (try Switched("one"), try Switched("two"))
        two.set(false)
        let port = try Ports.free()
        var site = HealthSite(port: port, healthCheck: check, places: [.init(one.port)])
        let gateway = try Gateway(site.manifests)
        try gateway.waitFor(one.port, toBe: "healthy")
        site.places.append(.init(two.port))
        try gateway.reload(site.manifests.mapValues { $0 })
        #expect(try names(Client(port: port), 20) == ["one"])
        #expect(two.backend.requests.allSatisfy { $0.target == "/healthz" })
        two.set(true)
        try gateway.waitFor(two.port, toBe: "healthy")
        #expect(try names(Client(port: port), 20) == ["one", "two"])
    }

    @Test("over TLS, where the backend has it")
    func secure() throws {
        let backend = try EchoBackend("secure", tls: try TestCertificates.issue(names: ["backend.example.com"]))
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.gateway(ports: [port]) + """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: route, namespace: default}
                spec:
                  parentRefs: [{name: gateway}]
                  rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: backend}]}]
                ---
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: Backend
                metadata: {name: backend, namespace: default}
                spec:
                  endpoints: [{ip: {address: 127.0.0.1, port: \(backend.port)}}]
                  tls: {insecureSkipVerify: true}
                ---
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: BackendTrafficPolicy
                metadata: {name: health, namespace: default}
                spec:
                  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}]
                  healthCheck: {active: {type: HTTP, interval: 50ms, timeout: 5s, http: {path: /status/200}}}

                """)
        try gateway.waitFor(backend.port, toBe: "healthy")
        backend.program.signal(SIGKILL)
        try gateway.waitFor(backend.port, toBe: "unhealthy")
    }

    @Test("outcomes are written to the file that healthCheckLog names")
    func log() throws {
        let one = try Switched("one")
        let folder = try TemporaryFolder()
        let path = folder.path + "/checks"
        let port = try Ports.free()
        let gateway = try Gateway(
            HealthSite(
                port: port,
                healthCheck:
                    "{active: {type: HTTP, interval: 50ms, unhealthyThreshold: 1, http: {path: /healthz}, healthCheckLog: "
                    + "{matches: [FailureSeriesStart, HealthyTransition], sinks: [{type: File, file: {path: \(path)}}]}}}",
                places: [.init(one.port)]
            ).text)
        try gateway.waitFor(one.port, toBe: "healthy")
        one.set(false)
        try gateway.waitFor(one.port, toBe: "unhealthy")
        one.set(true)
        try gateway.waitFor(one.port, toBe: "healthy")
        let events = folder.read("checks").split(separator: "\n").map { line in
            line.split(separator: "\"event\":\"").last?.prefix { $0 != "\"" }
        }
        #expect(events == ["HealthyTransition", "FailureSeriesStart", "HealthyTransition"])
    }
}
