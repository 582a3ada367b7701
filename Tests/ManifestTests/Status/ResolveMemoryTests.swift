import Config
import Core
import Glibc
import Testing

@testable import Manifest

/// Generations, transition times and bind failures: what a second look at the same set knows of the first.
@Suite struct ResolvedTwice {
    static func manifest(port: Int = 80, service: String = "app", extra: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: front, namespace: shop, generation: 77}
        spec:
          gatewayClassName: sluice
          addresses: [{value: 127.0.0.1}, {value: 127.0.0.2}]
          listeners:
          - {name: http, port: \(port), protocol: HTTP}\(extra)
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: app, namespace: shop}
        spec:
          parentRefs: [{name: front}]
          rules: [{backendRefs: [{name: \(service), port: 80}]}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: app, namespace: shop}
        spec: {type: ExternalName, externalName: app.example.com}
        """
    }

    static func resolve(
        _ text: String, after previous: Resolution? = nil, at now: String = "2026-01-01T00:00:00Z",
        failures: [ListeningAddress: BindFailure] = [:]
    ) -> Resolution {
        let set = ManifestReader.read(files: [("t.yaml", Array(text.utf8))])
        #expect(set.findings == [])
        return Resolver.resolve(
            set, previous: previous?.memory ?? ResolveMemory(), bindFailures: failures, now: now)
    }

    static func generation(_ resolution: Resolution, _ kind: ResourceKind) -> UInt32? {
        resolution.shown.first { $0.kind == kind }?.generation
    }

    static func gateway(_ resolution: Resolution) -> GatewayStatus? {
        for shown in resolution.shown {
            if case .gateway(let status) = shown.status { return status }
        }
        return nil
    }

    static func route(_ resolution: Resolution) -> [Condition] {
        for shown in resolution.shown {
            if case .route(let parents) = shown.status { return parents.first?.conditions ?? [] }
        }
        return []
    }

    @Test func generationGrowsWithTheSpecAlone() {
        let first = Self.resolve(Self.manifest())
        #expect(Self.generation(first, .gateway) == 1)
        let same = Self.resolve("# a comment\n" + Self.manifest(), after: first)
        #expect(Self.generation(same, .gateway) == 1)
        let reordered = Self.manifest().replacing("name: http, port: 80", with: "port: 80, name: http")
        #expect(Self.generation(Self.resolve(reordered, after: same), .gateway) == 1)
        let changed = Self.resolve(Self.manifest(port: 81), after: same)
        #expect(Self.generation(changed, .gateway) == 2)
        #expect(Self.generation(changed, .httpRoute) == 1)
        #expect(Self.generation(Self.resolve(Self.manifest(), after: changed), .gateway) == 3)
    }

    @Test func transitionTimeStaysWhileTheValueStays() {
        let first = Self.resolve(Self.manifest())
        let broken = Self.resolve(Self.manifest(service: "gone"), after: first, at: "2026-01-02T00:00:00Z")
        let times = Self.route(broken).map { "\($0.type) \($0.isTrue) \($0.lastTransitionTime)" }
        #expect(times == ["accepted true 2026-01-01T00:00:00Z", "resolvedRefs false 2026-01-02T00:00:00Z"])
        let mended = Self.resolve(Self.manifest(), after: broken, at: "2026-01-03T00:00:00Z")
        #expect(Self.route(mended).map(\.lastTransitionTime) == ["2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"])
    }

    @Test func anAddressThatIsNotThereIsNotUsable() throws {
        let missing = try #require(SocketAddress("127.0.0.2:80"))
        let first = Self.resolve(Self.manifest())
        let second = Self.resolve(
            Self.manifest(), after: first,
            failures: [
                ListeningAddress(.tcp, missing): BindFailure(.addressNotUsable, "Cannot assign requested address")
            ])
        let status = try #require(Self.gateway(second))
        #expect(status.conditions.map(\.reason) == [.accepted, .addressNotUsable])
        #expect(status.conditions.map(\.isTrue) == [true, false])
        #expect(status.addresses.map(\.description) == ["127.0.0.1"])
        #expect(second.plan == first.plan)
        let wanted =
            "t.yaml:8:24: error: spec.listeners[0].port: 127.0.0.2:80 cannot be bound: Cannot assign requested address"
        #expect(second.findings.map(\.description) == [wanted])
    }

    @Test func aPortThatIsTakenIsUnavailable() throws {
        let taken = try #require(SocketAddress("127.0.0.1:81"))
        let text = Self.manifest(extra: "\n  - {name: more, port: 81, protocol: HTTP}")
        let resolution = Self.resolve(
            text, failures: [ListeningAddress(.tcp, taken): BindFailure(.portUnavailable, "Address already in use")])
        let status = try #require(Self.gateway(resolution))
        #expect(status.conditions.map(\.reason) == [.listenersNotValid, .programmed])
        #expect(status.listeners[0].conditions.map(\.reason) == [.accepted, .programmed, .resolvedRefs, .noConflicts])
        #expect(
            status.listeners[1].conditions.map(\.reason) == [.portUnavailable, .invalid, .resolvedRefs, .noConflicts])
        #expect(resolution.plan.sockets.count == 4)
    }

    /// Who may not bind is told what is missing, not to look for somebody else.
    @Test(arguments: [
        (EACCES, "give sluice CAP_NET_BIND_SERVICE for ports below 1024"), (EPERM, "give sluice CAP_NET_BIND_SERVICE"),
        (EADDRINUSE, "end what listens there, or choose another port"),
    ]) func whatWouldHelpIsTold(_ code: CInt, _ remedy: String) throws {
        let address = try #require(SocketAddress("127.0.0.1:80"))
        let resolution = Self.resolve(
            Self.manifest(), failures: [ListeningAddress(.tcp, address): BindFailure(errno: code, message: "no")])
        #expect(resolution.findings.contains { $0.message.contains("127.0.0.1:80 cannot be bound: no; \(remedy)") })
    }
}
