import Config
import Support
import Testing

@testable import Manifest

/// What is told of manifests of groups that load, and would not do what they say.
@Suite("Findings about groups") struct GroupFindingTests {
    private static func set(
        annotations: String = "", service: String = "{}", route: String = "", more: String = ""
    ) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          name: group
          namespace: shop
          annotations:
            sluice.dev/group: by-name
        \(annotations.isEmpty ? "" : "    \(annotations)")
        spec:
          gatewayClassName: sluice
          listeners: [{name: web, port: 8080, protocol: HTTP}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: cart, namespace: shop, labels: {sluice.dev/gateway: group}, annotations: \(service)}
        spec: {ports: [{name: http, port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: stranger, namespace: books}
        spec: {ports: [{name: http, port: 80}]}
        \(route.isEmpty ? "" : "---\n" + route)
        \(more.isEmpty ? "" : "---\n" + more)
        """
    }

    private static func route(parent: String, backend: String = "{name: cart, port: 80}") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: cart, namespace: shop}
        spec: {parentRefs: [\(parent)], rules: [{backendRefs: [\(backend)]}]}
        """
    }

    private static func policy(_ rule: String, action: String = "DENY") -> String {
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: policy, namespace: shop}
        spec: {action: \(action), rules: [\(rule)]}
        """
    }

    private static func resolve(_ text: String) -> Resolution {
        let set = ManifestReader.read(files: [("t.yaml", Array(text.utf8))])
        #expect(set.findings == [])
        return Resolver.resolve(set, now: "2026-11-21T12:00:00Z", readFile: { _ in nil })
    }

    // MARK: principals (AuthorizationPolicy)

    @Test(arguments: [
        ("from: [{source: {principals: ['spiffe://cluster.local/ns/front/sa/web']}}]", "cluster.local/ns/front/sa/web"),
        ("from: [{source: {notPrincipals: ['spiffe://*']}}]", "*"),
        ("from: [{source: {principals: ['SPIFFE://a/ns/b/sa/c']}}]", "a/ns/b/sa/c"),
        ("from: [{source: {principals: ['spiffe://']}}]", "*"),
        ("when: [{key: source.principal, values: ['spiffe://a/ns/b/sa/c']}]", "a/ns/b/sa/c"),
        ("when: [{key: source.principal, notValues: ['spiffe://a/*']}]", "a/*"),
    ])
    func aPrincipalWithItsSchemeIsAnError(_ rule: String, _ right: String) throws {
        for (action, effect) in [
            ("DENY", "the rule denies as if this were not there"), ("ALLOW", "the rule allows nothing"),
        ] {
            let resolution = Self.resolve(Self.set(more: Self.policy("{\(rule)}", action: action)))
            let told = resolution.findings.filter(\.isError).map(\.message)
            #expect(told.count == 1, "\(resolution.findings)")
            #expect(
                told.first?.hasSuffix("are written without 'spiffe://'; write '\(right)'; \(effect)") == true, "\(told)"
            )
            #expect(resolution.plan.authorizationPolicies.first?.rules.first?.neverHolds == (action == "ALLOW"))
        }
    }

    @Test(arguments: ["cluster.local/ns/front/sa/web", "*", "*/sa/web", "spiffe/*"])
    func aPrincipalWithoutSchemeIsNone(_ principal: String) {
        let rule = "{from: [{source: {principals: ['\(principal)']}}]}"
        #expect(Self.resolve(Self.set(more: Self.policy(rule))).findings.filter(\.isError) == [])
    }

    // MARK: parents (GEP-1294)

    @Test(arguments: [
        ("{kind: Service, name: cart, port: 80}", "gateway.networking.k8s.io"),
        ("{group: core, kind: Service, name: cart}", "core"),
    ])
    func aServiceWithoutItsGroupIsNoParent(_ parent: String, _ group: String) throws {
        let resolution = Self.resolve(Self.set(route: Self.route(parent: parent)))
        let told = resolution.findings.filter { $0.path == "spec.parentRefs[0]" }
        #expect(told.map(\.kind) == [.unresolved])
        #expect(told.first?.message.hasPrefix("there is no kind 'Service' in the group '\(group)'") == true)
        #expect(told.first?.message.contains("write group: \"\"") == true)
        // Nobody's parent has no status of ours (Gateway API, RouteStatus.parents).
        let route = try #require(resolution.shown.first { $0.kind == .httpRoute })
        guard case .route(let parents) = route.status else {
            Issue.record("a route without status")
            return
        }
        #expect(parents.isEmpty)
    }

    @Test func withoutAGroupItIsLeftAlone() {
        let text = Self.set(route: Self.route(parent: "{kind: Service, name: cart}"))
            .replacing("sluice.dev/group: by-name", with: "example.org/a: b")
            .replacing("labels: {sluice.dev/gateway: group}, ", with: "")
        let told = Self.resolve(text).findings.filter { $0.path == "spec.parentRefs[0]" }
        #expect(told.map(\.kind) == [.warning])
    }

    // MARK: backends and names

    @Test(arguments: [
        ("{name: crat, port: 80}", "there is no Service 'shop/crat'; did you mean 'shop/cart'?"),
        ("{name: reviews, namespace: books, port: 80}", "there is no Service 'books/reviews'"),
        (
            "{name: strangers, namespace: books, port: 80}",
            "there is no Service 'books/strangers'; did you mean 'books/stranger'?"
        ),
        (
            "{name: stranger, namespace: books, port: 80}",
            "no ReferenceGrant in namespace 'books' lets HTTPRoutes of 'shop' refer to Service 'stranger'; members of the "
                + "route's group need none: label the Service sluice.dev/gateway if it is one"
        ),
    ])
    func aBackendOfAMembersRoute(_ backend: String, _ message: String) {
        let route = Self.route(parent: "{group: '', kind: Service, name: cart}", backend: backend)
        let told = Self.resolve(Self.set(route: route)).findings.filter(\.isError).map(\.message)
        #expect(told.count == 1 && told.first?.hasSuffix(message) == true, "\(told)")
    }

    /// Whether a Service exists is not for strangers to know.
    @Test func aBackendOfAGatewaysRouteIsAnswerdWithTheGrantFirst() {
        let route = Self.route(parent: "{name: group}", backend: "{name: none, namespace: books, port: 80}")
        let told = Self.resolve(Self.set(route: route)).findings.filter(\.isError).map(\.message)
        #expect(
            told == [
                "no ReferenceGrant in namespace 'books' lets HTTPRoutes of 'shop' refer to Service 'none'"
            ])
    }

    @Test(arguments: [
        (route(parent: "{name: gruop}"), "there is no Gateway 'shop/gruop'; did you mean 'shop/group'?"),
        (
            route(parent: "{group: '', kind: Service, name: carts}"),
            "there is no Service 'shop/carts'; did you mean 'shop/cart'?"
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: shop, labels: {sluice.dev/gateway: grup}}\n"
                + "spec: {ports: [{port: 80}]}",
            "there is no Gateway 'shop/grup'; did you mean 'shop/group'?"
        ),
        (
            policy("{}").replacing("spec: {", with: "spec: {targetRefs: [{kind: Service, name: crt}], "),
            "there is no Service 'shop/crt'; did you mean 'shop/cart'?"
        ),
        (
            policy("{}").replacing(
                "spec: {",
                with: "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: groups}], "),
            "there is no Gateway 'shop/groups'; did you mean 'shop/group'?"
        ),
        (route(parent: "{name: elsewhere}"), "there is no Gateway 'shop/elsewhere'"),
    ])
    func theNameThatWasMeantIsTold(_ resource: String, _ message: String) {
        let told = Self.resolve(Self.set(more: resource)).findings.filter(\.isError).map(\.message)
        #expect(told == [message])
    }

    // MARK: annotations

    @Test(arguments: [
        ("{sluice.dev/hbone: 'true', sluice.dev/hbone-port: '70000'}", true, "'70000' is no port"),
        ("{sluice.dev/hbone: 'true', sluice.dev/hbone-port: '0'}", true, "'0' is no port"),
    ])
    func ofAService(_ annotations: String, _ isError: Bool, _ message: String) {
        let route = Self.route(parent: "{group: '', kind: Service, name: cart}")
        let told = Self.resolve(Self.set(service: annotations, route: route)).findings
        #expect(told.contains { $0.isError == isError && $0.message.contains(message) }, "\(told)")
    }

    @Test(arguments: [
        ("sluice.dev/allow-local-targets: 'true'", false, "it says nothing where sluice.dev/egress is not allow", 8),
        (
            "sluice.dev/allow-local-targets: 'yes'", true,
            "'yes' is no value of sluice.dev/allow-local-targets; true and false are", 8
        ),
        (
            "sluice.dev/egress: allow\n    sluice.dev/allow-local-targets: 'yes'", true,
            "'yes' is no value of sluice.dev/allow-local-targets; true and false are", 9
        ),
    ])
    func ofAGateway(_ annotation: String, _ isError: Bool, _ message: String, _ line: Int) {
        let told = Self.resolve(Self.set(annotations: annotation)).findings
        let own = told.filter { $0.path.contains("allow-local-targets") }
        #expect(own.count == 1, "\(told)")
        #expect(own.first.map { $0.isError == isError && $0.message.hasPrefix(message) } == true, "\(told)")
        #expect(own.first?.location.line == line)
    }

    @Test(arguments: [
        "sluice.dev/allow-local-targets: 'false'",
        "sluice.dev/egress: allow\n    sluice.dev/allow-local-targets: 'true'",
    ])
    func ofAGatewayThatAreRight(_ annotation: String) {
        let told = Self.resolve(Self.set(annotations: annotation)).findings
        #expect(told.filter { $0.path.contains("annotations") } == [])
    }
}
