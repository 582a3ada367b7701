import Config
import Core
import Testing

@testable import Manifest

/// Retries, timeouts and connections of BackendTrafficPolicy, from their text to the plans of a rule and its backend.
@Suite struct RetryFieldsTests {
    private static func resolve(_ fields: String, annotations: String = "", rule: String = "") -> Resolution {
        ResolvedTwice.resolve(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: shop}
            spec:
              gatewayClassName: sluice
              addresses: [{value: 127.0.0.1}]
              listeners: [{name: http, port: 80, protocol: HTTP}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: app, namespace: shop}
            spec:
              parentRefs: [{name: front}]
              rules:
              - backendRefs: [{name: app, port: 80}]
                \(rule)
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: app, namespace: shop}
            spec: {type: ExternalName, externalName: app.example.com}
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: traffic, namespace: shop, annotations: {\(annotations)}}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: app}]
            \(fields.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
            """)
    }

    private static func rule(_ fields: String, annotations: String = "") throws -> RouteTrafficPlan {
        let resolution = resolve(fields, annotations: annotations)
        #expect(resolution.findings.map(\.description) == [])
        return try #require(resolution.plan.routes.first?.rules.first).traffic
    }

    @Test func whatRetryLeavesOut() throws {
        let retry = try #require(try Self.rule("retry: {}").retry)
        #expect(retry == PolicyRetryPlan(retry: RetryPlan(triggers: .standard, codes: [503], attempts: 2)))
    }

    @Test func whatRetrySays() throws {
        let retry = try #require(
            try Self.rule(
                """
                retry:
                  numRetries: 5
                  retryOn:
                    triggers: [5xx, reset-before-request, internal]
                    httpStatusCodes: [429, 500]
                  perRetry:
                    timeout: 250ms
                    backOff: {baseInterval: 100ms, maxInterval: 10s}
                """
            ).retry)
        #expect(retry.retry.triggers == [.serverError, .resetBeforeRequest, .internalError])
        #expect(retry.retry.codes == [429, 500])
        #expect(retry.retry.attempts == 5)
        #expect(retry.retry.backOff == RetryBackOff(base: .milliseconds(100), longest: .seconds(10)))
        #expect(retry.attemptTimeout?.amount == .milliseconds(250))
        #expect(
            retry.attemptTimeout?.origin.hasPrefix(
                "spec.retry.perRetry.timeout of BackendTrafficPolicy 'shop/traffic' (") == true)
    }

    @Test(arguments: RetryTriggers.names.map { $0.name.description }) func everyTriggerIsKnown(name: String) throws {
        let retry = try #require(try Self.rule("retry: {retryOn: {triggers: [\(name)]}}").retry)
        let expected = try #require(RetryTriggers.names.first { $0.name.description == name }).trigger
        #expect(retry.retry.triggers == expected)
    }

    @Test func timeouts() throws {
        let timeouts = try Self.rule(
            "timeout: {http: {requestTimeout: 2s, streamIdleTimeout: 0s, maxStreamDuration: 1h}}"
        ).timeouts
        #expect(timeouts.request?.amount == .seconds(2))
        #expect(timeouts.streamIdle?.amount == .zero)
        #expect(timeouts.maxStreamDuration?.amount == .seconds(3600))
    }

    @Test func connections() throws {
        let resolution = Self.resolve(
            """
            timeout:
              tcp: {connectTimeout: 3s}
              http: {connectionIdleTimeout: 5s, maxConnectionDuration: 1m}
            connection: {bufferLimit: 1Mi, socketBufferLimit: 64Ki}
            circuitBreaker: {maxRequestsPerConnection: 9}
            tcpKeepalive: {probes: 3, idleTime: 20s, interval: 1500ms}
            useClientProtocol: true
            http2:
              initialStreamWindowSize: 128Ki
              initialConnectionWindowSize: 1Mi
              maxConcurrentStreams: 7
              onInvalidMessage: TerminateStream
              connectionKeepalive: {interval: 30s, timeout: 5s, intervalJitter: 0, idleInterval: 10s}
            """)
        #expect(resolution.findings.map(\.description) == [])
        let traffic = try #require(resolution.plan.clusters.first).traffic
        #expect(traffic.circuitBreaker.maxRequestsPerConnection == 9)
        let plan = traffic.connection
        #expect(plan.connectTimeout?.amount == .seconds(3))
        var expected = UpstreamConnectionSettings()
        expected.idleTimeout = .seconds(5)
        expected.maxDuration = .seconds(60)
        expected.bufferLimit = 1 << 20
        expected.socketBufferLimit = 65536
        expected.tcpKeepalive.isOn = true
        expected.tcpKeepalive.probes = 3
        expected.tcpKeepalive.idleTime = 20
        expected.tcpKeepalive.interval = 2
        expected.usesClientProtocol = true
        expected.http2.initialStreamWindowSize = 128 * 1024
        expected.http2.initialConnectionWindowSize = 1 << 20
        expected.http2.maxConcurrentStreams = 7
        expected.http2.pingInterval = .seconds(30)
        expected.http2.pingTimeout = .seconds(5)
        expected.http2.pingJitterPercent = 0
        expected.http2.pingIdleInterval = .seconds(10)
        #expect(plan.settings == expected)
    }

    @Test func aHedge() throws {
        let plan = try Self.rule("retry: {}", annotations: "sluice.dev/hedge: 200ms")
        #expect(plan.hedge == HedgePlan(delay: .milliseconds(200)))
    }

    @Test(
        arguments: [
            ("timeout: {tcp: {connectTimeout: 0s}}", "", "must be longer than 0s"),
            ("retry: {perRetry: {backOff: {baseInterval: 2s, maxInterval: 1s}}}", "", "must not be shorter than"),
            ("retry: {numAttemptsPerPriority: 1}", "", "numAttemptsPerPriority is not supported by Sluice"),
            ("connection: {preconnect: {perEndpointPercent: 150}}", "", "preconnect is not supported by Sluice"),
            ("http2: {onInvalidMessage: Whatever}", "", "'Whatever' is neither TerminateConnection nor"),
            ("http2: {initialStreamWindowSize: 1Ki}", "", "must be from 65535 to"),
            ("retry: {}", "sluice.dev/hedge: p95", "'p95' is no delay for a hedge; write a duration from 1ms to 60s"),
            ("retry: {}", "sluice.dev/hedge: 2m", "'2m' is no delay for a hedge"),
        ])
    func whatCannotBeIsSaid(fields: String, annotations: String, message: String) {
        let findings = Self.resolve(fields, annotations: annotations).findings.map(\.description)
        #expect(findings.contains { $0.contains(message) }, "\(findings)")
    }
}
