import Support
import Testing

/// `sluice.dev/carry`: what a gray release gives a request goes on through the calls that it brings about.
@Suite("Carried fields", .serialized) struct CarriedFieldTests {
    private let v1: Backend
    private let v2: Backend
    private let port: UInt16
    private let gateway: Gateway

    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static func traceparent(_ parent: String) -> String { "00-\(trace)-\(parent)-01" }

    /// Requests with `x-version: v2` go to v2, all others to v1; users of the path /new are given the version.
    init() throws {
        v1 = try Backend("v1")
        v2 = try Backend("v2")
        port = try Ports.free()
        gateway = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: gateway
              annotations: {sluice.dev/carry: x-version=version}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: http, protocol: HTTP, port: \(port)}]
            ---

            """
                + """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: shop}
                spec:
                  parentRefs: [{name: gateway}]
                  rules:
                  - matches: [{headers: [{name: x-version, value: v2}]}]
                    backendRefs: [{name: v2, port: 80}]
                  - matches: [{path: {value: /new}}]
                    filters:
                    - type: RequestHeaderModifier
                      requestHeaderModifier: {set: [{name: X-Version, value: v2}]}
                    backendRefs: [{name: v1, port: 80}]
                  - backendRefs: [{name: v1, port: 80}]
                ---

                """ + Manifests.service("v1", port: v1.port) + Manifests.service("v2", port: v2.port), workers: 2)
    }

    private func ask(_ path: String = "/", _ fields: [(String, String)]) throws -> String {
        try Client(port: port).request("GET", path, host: "a", fields: fields).text
    }

    @Test func itIsToldInBaggageAndTakenFromThere() throws {
        #expect(try ask("/", [("X-Version", "v2"), ("Baggage", "user=7;p=1, version=v1")]) == "v2")
        #expect(v2.requests.last?.all("baggage") == ["user=7;p=1,version=v2"])
        #expect(try ask("/", [("Baggage", "user=7, version=v2")]) == "v2")
        #expect(v2.requests.last?["x-version"] == "v2")
        #expect(try ask("/", [("Baggage", "user=7")]) == "v1")
        #expect(try ask("/", [("Baggage", "version=%22")]) == "v1")
    }

    @Test func itIsKnownAgainByTheTraceInEveryWorker() throws {
        #expect(try ask("/", [("traceparent", Self.traceparent("00f067aa0ba902b7"))]) == "v1")
        #expect(try ask("/", [("traceparent", Self.traceparent("00f067aa0ba902b7")), ("x-version", "v2")]) == "v2")
        for call in 0..<8 {
            let parent = "00f067aa0ba902a\(call)"
            #expect(try ask("/", [("traceparent", Self.traceparent(parent))]) == "v2")
        }
        // What a call says itself counts.
        #expect(try ask("/", [("traceparent", Self.traceparent("00f067aa0ba902b8")), ("x-version", "v1")]) == "v1")
    }

    @Test func itIsKnownAgainByTheRequestsIdentifierAndWhenAFilterGaveIt() throws {
        #expect(try ask("/new", [("x-request-id", "4711")]) == "v1")
        #expect(v1.requests.last?.all("baggage") == ["version=v2"])
        for _ in 0..<4 { #expect(try ask("/", [("x-request-id", "4711")]) == "v2") }
        #expect(try ask("/", [("x-request-id", "4712")]) == "v1")
        // The gateway's own identifier serves as well.
        #expect(try ask("/new", []) == "v1")
        let id = try #require(v1.requests.last?["x-request-id"])
        #expect(try ask("/", [("x-request-id", id)]) == "v2")
    }

    @Test func whatCannotBeCarriedIsNot() throws {
        let long = String(repeating: "a", count: 64)
        #expect(try ask("/", [("x-version", long), ("x-request-id", "l")]) == "v1")
        #expect(v1.requests.last?["baggage"] == "version=\(long)")
        #expect(try ask("/", [("x-version", "two words"), ("x-request-id", "w")]) == "v1")
        #expect(v1.requests.last?["baggage"] == nil)
    }
}
