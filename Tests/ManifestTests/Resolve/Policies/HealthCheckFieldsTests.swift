import Config
import Core
import Testing

@testable import Manifest

@Suite("healthCheck of a BackendTrafficPolicy")
struct HealthCheckFieldsTests {
    /// What `healthCheck: …` comes to.
    private func settings(_ text: String) throws -> BackendTrafficSettings {
        let set = read(
            """
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: a}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: b}]
              healthCheck: \(text)

            """)
        let document = try #require(set.documents.first)
        var findings = FindingLog()
        return BackendTrafficSettings(
            PolicyNode(WrittenNode(document.root)[.spec], policy: 0), ResourceIndex(set, findings: &findings))
    }

    private func plan(_ text: String) throws -> HealthCheckPlan {
        let settings = try settings(text)
        #expect(settings.problems.map(\.message) == [])
        return settings.cluster.healthCheck
    }

    @Test func nothingIsNothing() throws {
        #expect(try plan("{}") == HealthCheckPlan())
        #expect(try plan("{panicThreshold: 0}") == HealthCheckPlan())
        #expect(try plan("{panicThreshold: 30}") == HealthCheckPlan(panicThreshold: 30))
    }

    @Test func defaultsAreThoseOfTheSchema() throws {
        var passive = PassiveCheckPlan()
        #expect(try plan("{passive: {}}").passive == passive)
        #expect((passive.consecutive5XxErrors, passive.consecutiveGatewayErrors) == (5, 0))
        #expect(passive.baseEjectionTime == .seconds(30) && passive.maxEjectionPercent == 10)
        passive.failurePercentageThreshold = 30
        passive.interval = .milliseconds(1500)
        passive.splitExternalLocalOriginErrors = true
        passive.consecutive5XxErrors = 0
        #expect(
            try plan(
                "{passive: {failurePercentageThreshold: 30, interval: 1s500ms, splitExternalLocalOriginErrors: true, "
                    + "consecutive5XxErrors: -1}}"
            ).passive == passive)
        let active = try #require(plan("{active: {type: TCP, tcp: {}}}").active)
        #expect(active == ActiveCheckPlan(.tcp(send: [], receive: [])))
        #expect((active.timeout, active.interval) == (.seconds(1), .seconds(3)))
        #expect((active.unhealthyThreshold, active.healthyThreshold, active.port) == (3, 1, 0))
    }

    @Test func allOfAnHTTPCheckIsRead() throws {
        var http = HTTPProbePlan(path: "/healthz?full")
        http.hostname = "shop.example"
        http.method = "PUT"
        http.requestBody = [1, 2, 3]
        http.expectedStatuses = [200, 204]
        http.retriableStatuses = [503]
        http.expectedResponse = Array("ok".utf8)
        var expected = ActiveCheckPlan(.http(http))
        expected.timeout = .milliseconds(500)
        expected.interval = .seconds(60)
        expected.initialJitter = .seconds(2)
        expected.unhealthyThreshold = 4
        expected.healthyThreshold = 2
        expected.port = 9090
        expected.log = HealthCheckLogPlan(events: [.failure, .healthyTransition], path: "/tmp/checks")
        #expect(
            try plan(
                """
                {active: {type: HTTP, timeout: 500ms, interval: 1m, initialJitter: 2s, unhealthyThreshold: 4,
                    healthyThreshold: 2, overrides: {port: 9090}, http: {path: /healthz?full, hostname: shop.example,
                    method: put, requestBody: {type: Binary, binary: AQID}, expectedStatuses: [200, 204],
                    retriableStatuses: [503], expectedResponse: {type: Text, text: ok}}, healthCheckLog: {
                    matches: [Failure, HealthyTransition], sinks: [{type: File, file: {path: /tmp/checks}}]}}}
                """
            ).active == expected)
    }

    @Test func theOtherKindsAreRead() throws {
        #expect(
            try plan("{active: {type: TCP, tcp: {send: {type: Text, text: PING}, receive: {type: Text, text: PONG}}}}")
                .active?.probe == .tcp(send: Array("PING".utf8), receive: Array("PONG".utf8)))
        #expect(try plan("{active: {type: GRPC}}").active?.probe == .grpc(service: ""))
        #expect(try plan("{active: {type: GRPC, grpc: {service: a.B}}}").active?.probe == .grpc(service: "a.B"))
        #expect(try plan("{active: {type: GRPC, healthCheckLog: {}}}").active?.log == HealthCheckLogPlan())
    }

    static let refused: [(String, String)] = [
        ("{active: {type: HTTP, http: {path: 'a b'}}}", "a path begins with '/'"),
        ("{active: {type: HTTP, http: {path: healthz}}}", "a path begins with '/'"),
        ("{active: {type: HTTP, http: {path: /, method: CONNECT}}}", "cannot be made by 'CONNECT'"),
        ("{active: {type: HTTP, http: {path: /, method: 'G T'}}}", "cannot be made by 'G T'"),
        ("{active: {type: HTTP, interval: 0s, http: {path: /}}}", "more than 0s"),
        ("{active: {type: HTTP, timeout: 0ms, http: {path: /}}}", "more than 0s"),
        ("{passive: {interval: 0s}}", "more than 0s"),
        ("{passive: {baseEjectionTime: 0s}}", "more than 0s"),
        (
            "{active: {type: TCP, tcp: {receive: {type: Text, text: '" + String(repeating: "a", count: 1025) + "'}}}}",
            "at most 1024 are supported by Sluice"
        ),
    ]

    @Test(arguments: refused) func whatCannotBeDoneIsRefused(_ text: String, _ message: String) throws {
        let problems = try settings(text).problems
        #expect(problems.count == 1 && problems[0].message.contains(message), "\(problems.map(\.message))")
    }

    @Test func whatWasDecidedIsReadBackFromTheSnapshot() throws {
        let check = try plan(
            """
            {active: {type: HTTP, initialJitter: 1s, overrides: {port: 81}, healthCheckLog: {}, http: {path: /a, method: POST,
                requestBody: {type: Text, text: b}, expectedStatuses: [201], retriableStatuses: [429, 503],
                expectedResponse: {type: Text, text: c}}}, passive: {}, panicThreshold: 20}
            """)
        var gateway = GatewayPlan()
        var cluster = ClusterPlan(name: "a", endpoints: [])
        cluster.traffic.healthCheck = check
        gateway.clusters = [cluster]
        let block = try SnapshotBuilder.buildBlock(gateway, generation: 1, revision: 1, sourceHash: 0, socketIDs: [])
        guard let snapshot = block.snapshot else { preconditionFailure("the builder made no snapshot") }
        let written = snapshot[snapshot.header.pointee.clusters, 0].pointee
        let health = snapshot[snapshot[written.traffic, 0].pointee.healthCheck, 0].pointee
        #expect(ActiveCheckPlan(snapshot[health.active, 0].pointee, in: snapshot) == check.active)
        #expect(snapshot[health.passive, 0].pointee == check.passive)
        #expect(health.panicThreshold == 20)
    }
}
