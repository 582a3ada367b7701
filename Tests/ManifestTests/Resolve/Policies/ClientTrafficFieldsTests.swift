import Config
import Core
import HTTP
import Testing

@testable import Manifest

/// ClientTrafficPolicy from its text to the listener's plan.
@Suite struct ClientTrafficFieldsTests {
    private static func resolve(_ fields: String, listener: String = "", hostnames: String = "") -> Resolution {
        ResolvedTwice.resolve(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: shop}
            spec:
              gatewayClassName: sluice
              addresses: [{value: 127.0.0.1}]
              listeners: [{name: http, port: 80, protocol: HTTP\(listener)}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: app, namespace: shop}
            spec:
              parentRefs: [{name: front}]
              \(hostnames)
              rules: [{backendRefs: [{name: app, port: 80}]}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: app, namespace: shop}
            spec: {type: ExternalName, externalName: app.example.com}
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: ClientTrafficPolicy
            metadata: {name: clients, namespace: shop}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: front}]
            \(fields.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
            """)
    }

    private static func plan(_ fields: String) throws -> ClientTrafficPlan {
        let resolution = resolve(fields)
        #expect(resolution.findings.map(\.description) == [])
        return try #require(resolution.plan.sockets.first?.listeners.first).client
    }

    @Test func nothing() throws { #expect(try Self.plan("path: {}").isEmpty) }

    @Test func connections() throws {
        let plan = try Self.plan(
            """
            tcpKeepalive: {probes: 3, idleTime: 20m, interval: 1500ms}
            connection:
              bufferLimit: 50M
              socketBufferLimit: 64Ki
              maxAcceptPerSocketEvent: 0
              connectionLimit:
                value: 3
                closeDelay: 10s
                maxConnectionDuration: 1h
                maxRequestsPerConnection: 7
                maxStreamDuration: 1m
            timeout:
              tcp: {idleTimeout: 20m, tlsHandshakeTimeout: 3s, connectionInspectionTimeout: 4s}
              http:
                idleTimeout: 0s
                requestHeadersReceivedTimeout: 5s
                requestReceivedTimeout: 6s
                streamIdleTimeout: 7s
            headers: {maxRequestHeaderLimit: 1500}
            """)
        let connection = plan.connection
        #expect(connection.tcpKeepalive.isOn && connection.tcpKeepalive.probes == 3)
        #expect(connection.tcpKeepalive.idleTime == 1200 && connection.tcpKeepalive.interval == 2)
        #expect(connection.bufferLimit == 50_000_000 && connection.socketBufferLimit == 65536)
        #expect(connection.acceptsPerEvent == 0 && connection.connectionLimit == 3)
        #expect(connection.closeDelay == .seconds(10) && connection.maxConnectionDuration == .seconds(3600))
        #expect(connection.maxRequestsPerConnection == 7 && connection.maxRequestHeader == 2048)
        #expect(plan.request.maxStreamDuration.value == .seconds(60))
        #expect(connection.tcpIdleTimeout.value == .seconds(1200) && connection.handshakeTimeout.value == .seconds(3))
        #expect(connection.inspectionTimeout.value == .seconds(4))
        #expect(connection.idleTimeout.over(.seconds(1)) == .forever)
        #expect(connection.headersReceivedTimeout.value == .seconds(5))
        #expect(
            plan.request.receivedTimeout.value == .seconds(6) && plan.request.streamIdleTimeout.value == .seconds(7))
        #expect(plan.request.receivedTimeout.position.line == 43)
    }

    /// What a block that is written leaves out is Envoy Gateway's default.
    @Test func defaultsOfBlocks() throws {
        let headers = try Self.plan("headers: {}").request
        #expect(headers.withUnderscoresAction == .rejectRequest && headers.requestID == .generate)
        #expect(try Self.plan("http1: {}").connection.passesTrailers == false)
        #expect(try Self.plan("http1: {enableTrailers: true}").connection.passesTrailers)
        #expect(try Self.plan("http2: {}").connection.http2.endsConnectionOnInvalidMessage)
        #expect(try Self.plan("connection: {}").connection.acceptsPerEvent == 1)
        #expect(try Self.plan("headers: {preserveXRequestID: true}").request.requestID == .preserveOrGenerate)
        let other = try Self.plan("timeout: {}")
        #expect(other.isEmpty)
    }

    @Test func requests() throws {
        let plan = try Self.plan(
            """
            path: {escapedSlashesAction: KeepUnchanged, disableMergeSlashes: true}
            headers:
              withUnderscoresAction: DropHeader
              requestID: Disable
              enableEnvoyHeaders: true
              disableRateLimitHeaders: true
              host: {stripTrailingHostDot: true}
              earlyRequestHeaders:
                set: [{name: X-A, value: a}]
                add: [{name: X-B, value: b}]
                addIfAbsent: [{name: X-C, value: c}]
                remove: [X-D]
                removeOnMatch: [{type: Prefix, value: X-E}, {type: RegularExpression, value: x-f.*}]
            http1:
              ignoredUpgradeTypes: [{value: websocket}]
            http2:
              initialStreamWindowSize: 128Ki
              initialConnectionWindowSize: 2Mi
              maxConcurrentStreams: 7
              onInvalidMessage: TerminateStream
              connectionKeepalive: {interval: 30s, timeout: 5s, idleInterval: 1m, intervalJitter: 20}
            healthCheck: {path: /healthz}
            grpc: {enableWeb: false}
            scheme: Preserve
            """)
        let request = plan.request
        #expect(request.escapedSlashesAction == .keepUnchanged && !request.mergesSlashes)
        #expect(request.withUnderscoresAction == .dropHeader && request.requestID == .disable)
        #expect(request.enablesEnvoyHeaders && request.disablesRateLimitHeaders && request.stripsTrailingHostDot)
        #expect(plan.earlyRequestHeaders.additions.map(\.name) == ["X-B", "X-A", "X-C"])
        #expect(plan.earlyRequestHeaders.removals == ["X-D"])
        #expect(plan.earlyRequestHeaders.removalMatches.map(\.value) == ["x-e", "x-f.*"])
        #expect(plan.ignoredUpgradeTypes == [TextMatchPlan(kind: .exact, value: "websocket")])
        let http2 = plan.connection.http2
        #expect(http2.initialStreamWindowSize == 128 << 10 && http2.initialConnectionWindowSize == 2 << 20)
        #expect(http2.maxConcurrentStreams == 7 && !http2.endsConnectionOnInvalidMessage)
        #expect(http2.keepaliveInterval == .seconds(30) && http2.keepaliveTimeout == .seconds(5))
        #expect(http2.keepaliveIdleInterval == .seconds(60) && http2.keepaliveJitter == 20)
        #expect(plan.healthCheckPath == "/healthz" && request.grpcWeb == .nowhere && request.preservesScheme)
    }

    @Test func clientAddresses() throws {
        let hops = try Self.plan(
            "clientIPDetection: {xForwardedFor: {numTrustedHops: 2, disableXForwardedForAppend: true}}")
        #expect(hops.clientIP.method == .trustedHops && hops.clientIP.numTrustedHops == 2)
        #expect(!hops.clientIP.appendsForwardedFor)
        let ranges = try Self.plan("clientIPDetection: {xForwardedFor: {trustedCIDRs: [10.0.0.0/8, \"fd00::/8\"]}}")
        #expect(
            ranges.clientIP.trustedCIDRs == [AddressRange("10.0.0.0/8"), AddressRange("fd00::/8")].compactMap { $0 })
        let header = try Self.plan("clientIPDetection: {customHeader: {name: X-Real-IP, failClosed: true}}")
        #expect(header.clientIP.headerName == "X-Real-IP" && header.clientIP.failsClosed)
        #expect(try Self.plan("clientIPDetection: {directSourceIP: {}}").isEmpty)
    }

    /// Each makes the policy invalid, and its listener answer 500.
    @Test(arguments: [
        ("headers: {maxRequestHeaderLimit: 512}", "spec.headers.maxRequestHeaderLimit"),
        ("headers: {maxRequestHeaderLimit: 9000Ki}", "spec.headers.maxRequestHeaderLimit"),
        ("http2: {initialStreamWindowSize: 1Ki}", "spec.http2.initialStreamWindowSize"),
        ("http2: {onInvalidMessage: Laugh}", "spec.http2.onInvalidMessage"),
        (
            "clientIPDetection: {xForwardedFor: {numTrustedHops: -1}}",
            "spec.clientIPDetection.xForwardedFor.numTrustedHops"
        ),
        (
            "clientIPDetection: {xForwardedFor: {trustedCIDRs: [10.0.0.0/33]}}",
            "spec.clientIPDetection.xForwardedFor.trustedCIDRs[0]"
        ),
        ("healthCheck: {path: healthz}", "spec.healthCheck.path"),
        (
            "headers: {earlyRequestHeaders: {set: [{name: Content-Length, value: \"1\"}]}}",
            "spec.headers.earlyRequestHeaders.set[0].name"
        ),
        (
            "headers: {lateResponseHeaders: {add: [{name: X, value: \"a\\nb\"}]}}",
            "spec.headers.lateResponseHeaders.add[0].value"
        ),
        (
            "headers: {earlyRequestHeaders: {removeOnMatch: [{type: RegularExpression, value: \"(\"}]}}",
            "spec.headers.earlyRequestHeaders.removeOnMatch[0].value"
        ),
        ("http1: {http10: {useDefaultHost: true}}", "spec"),
    ]) func invalid(_ fields: String, _ path: String) throws {
        let resolution = Self.resolve(fields)
        #expect(resolution.findings.contains { $0.description.contains(" error: \(path): ") })
        #expect(try #require(resolution.plan.sockets.first?.listeners.first).client.isInvalid)
        let accepted = resolution.shown.compactMap { shown -> Condition? in
            guard shown.kind == .clientTrafficPolicy, case .policy(let ancestors) = shown.status else { return nil }
            return ancestors.first?.conditions.first { $0.type == .accepted }
        }
        #expect(accepted.map(\.isTrue) == [false] && accepted.map(\.reason) == [.invalid])
    }

    @Test func defaultHosts() throws {
        let fields = "http1: {http10: {useDefaultHost: true}}"
        func host(_ listener: String, _ hostnames: String) -> String? {
            Self.resolve(fields, listener: listener, hostnames: hostnames).plan.sockets.first?.listeners.first?.client
                .defaultHost
        }
        #expect(host(", hostname: a.example", "") == "a.example")
        #expect(host("", "hostnames: [b.example]") == "b.example")
        #expect(host(", hostname: '*.example'", "hostnames: [b.example]") == "b.example")
        #expect(host("", "hostnames: ['*.example']") == "")
    }
}
