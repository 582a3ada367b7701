import Config
import Core
import Testing

@testable import Manifest

@Suite("Releases in the annotations of routes") struct ReleaseAnnotationTests {
    private static let head = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: gw}
        spec:
          gatewayClassName: sluice
          listeners: [{name: http, protocol: HTTP, port: 80}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: v1}
        spec: {ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: v2}
        spec: {ports: [{port: 80}]}
        ---

        """

    private static let rules = """
        spec:
          parentRefs: [{name: gw}]
          rules:
          - name: shop
            backendRefs: [{name: v1, port: 80, weight: 95}, {name: v2, port: 80, weight: 5}]
            SESSION
          - name: cart
            matches: [{path: {value: /cart}}]
            backendRefs: [{name: v1, port: 80}]

        """

    private func resolve(_ annotations: String, kind: String = "HTTPRoute", session: String = "") -> Resolution {
        let text =
            Self.head
            + "apiVersion: gateway.networking.k8s.io/v1\nkind: \(kind)\nmetadata:\n  name: r\n  annotations:\n"
            + annotations.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }.joined()
            + (kind == "GRPCRoute" ? Self.rules.replacing("value: /cart", with: "") : Self.rules)
            .replacing("matches: [{path: {}}]", with: "matches: [{method: {service: a.B}}]")
            .replacing("SESSION", with: session)
        let set = ManifestReader.read(files: [(path: "r.yaml", bytes: Array(text.utf8))])
        #expect(!set.isMalformed, "\(set.findings)")
        return Resolver.resolve(set, now: "2026-01-01T00:00:00Z") { _ in nil }
    }

    /// The line of `metadata:`'s first annotation.
    private static let firstLine = head.split(separator: "\n", omittingEmptySubsequences: false).count - 1 + 6

    private func errors(_ resolution: Resolution) -> [String] {
        resolution.findings.filter(\.isError).map { "\($0.location.line):\($0.location.column) \($0.message)" }
    }

    private func shop(_ resolution: Resolution) throws -> RulePlan {
        try #require(resolution.plan.routes.first?.rules.first { $0.name == "shop" })
    }

    @Test func aRolloutIsRead() throws {
        let resolution = resolve(
            """
            sluice.dev/rollout: |
              rule: shop
              canary: v2
              stable: default/v1:80
              steps: [0.5, 20, 100]
              interval: 5m
              minRequests: 700
              maxSuccessRateDrop: 0.25
              maxP99Ratio: 1.2
              version: build 7
            """)
        #expect(errors(resolution) == [])
        let plan = try #require(try shop(resolution).traffic.rollout)
        #expect(plan.canary == 1 && plan.stable == 0)
        #expect(plan.steps == [5, 200, 1000])
        #expect(plan.interval == .seconds(300) && plan.minRequests == 700)
        #expect(plan.failureTolerance == 250 && plan.latencyRatio == 1200)
        #expect(plan.position.line == UInt32(Self.firstLine + 1))
        #expect(resolution.plan.routes[0].rules[1].traffic.isEmpty)
    }

    @Test func aListHasOneForEachRuleAndJSONWillDo() throws {
        let resolution = resolve(
            #"sluice.dev/rollout: '[{"rule": "shop", "canary": "v2", "stable": "v1", "steps": [10]}]'"#)
        #expect(errors(resolution) == [])
        let plan = try #require(try shop(resolution).traffic.rollout)
        #expect(plan.steps == [100] && plan.interval == .seconds(60) && plan.minRequests == 500)
        #expect(plan.failureTolerance == 100 && plan.latencyRatio == 1500)
    }

    @Test(
        "What is wrong is told with its line",
        arguments: [
            ("canary: v2\nstable: v1\nsteps: [5]", "1:", "the route has 2 rules; say which one is meant"),
            ("rule: shp\ncanary: v2\nstable: v1\nsteps: [5]", "1:", "no rule is named 'shp'; there are 'shop', 'cart'"),
            (
                "rule: shop\ncanary: v2\nstabel: v1\nsteps: [5]", "3:",
                "no field is named 'stabel'; did you mean 'stable'?"
            ),
            ("rule: shop\ncanary: v2\nsteps: [5]", "1:", "has no stable"),
            ("rule: shop\ncanary: v3\nstable: v1\nsteps: [5]", "1:", "no backendRef 'v3'; it has 'default/v1:80'"),
            ("rule: shop\ncanary: v1\nstable: v1\nsteps: [5]", "1:", "the same backendRef"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: [5, 20, 20]", "4:", "'20' does not grow"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: [5, 120]", "4:", "'120' is not a percentage"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: []", "4:", "must be a list of 1 to 32"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: [5]\ninterval: soon", "5:", "'soon' is not a duration"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: [5]\nminRequests: 0", "5:", "'0' is not a number of requests"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: [5]\nmaxP99Ratio: 0.5", "5:", "write 1 or more"),
            ("rule: shop\ncanary: v2\nstable: v1\nsteps: [5]\nsteps: [6]", "5:", "steps"),
            ("rule: shop\n  canary: [", "", "not valid YAML"),
            ("just text", "1:", "must be an object"),
        ])
    func problems(text: String, line: String, message: String) throws {
        let lines = text.split(separator: "\n").map { "  \($0)\n" }.joined()
        let resolution = resolve("sluice.dev/rollout: |\n\(lines)")
        let found = errors(resolution)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(message) == true, "\(found)")
        if let number = Int(line.dropLast()) {
            #expect(found.first?.hasPrefix("\(Self.firstLine + number):7 ") == true || line != "1:", "\(found)")
            #expect(found.first?.hasPrefix("\(Self.firstLine + number):") == true, "\(found)")
        }
        // The rule is served as its weights say, and the status tells.
        let rule = try shop(resolution)
        #expect(rule.traffic.rollout == nil && rule.backends.map(\.weight) == [95, 5])
    }

    @Test func aRolloutOfAGRPCRouteIsRefused() {
        let resolution = resolve("sluice.dev/rollout: '{}'", kind: "GRPCRoute")
        #expect(errors(resolution).count == 1)
        #expect(errors(resolution).first?.contains("is for HTTPRoutes") == true)
    }

    @Test func theHashFollowsTheRuleAndTheText() throws {
        let text = "sluice.dev/rollout: '{rule: shop, canary: v2, stable: v1, steps: [5]}'"
        func hash(_ text: String, session: String = "") throws -> UInt64 {
            try #require(try shop(resolve(text, session: session)).traffic.rollout).specHash
        }
        let first = try hash(text)
        #expect(try hash(text) == first)
        #expect(try hash("sluice.dev/rollout: '{rule: shop, steps: [5], canary: v2, stable: v1}'") == first)
        #expect(try hash(text.replacing("[5]", with: "[6]")) != first)
        #expect(try hash(text, session: "timeouts: {request: 1s}") != first)
    }

    @Test(arguments: [
        ("header:x-user", SplitKeyPlan(source: .header, name: "x-user")),
        ("cookie:uid", SplitKeyPlan(source: .cookie, name: "uid")),
        ("client-address", SplitKeyPlan(source: .clientAddress)),
    ])
    func splitKeys(text: String, plan: SplitKeyPlan) throws {
        let resolution = resolve("sluice.dev/split-key: shop=\(text)")
        #expect(errors(resolution) == [])
        var found = try #require(try shop(resolution).traffic.splitKey)
        found.position = SourcePosition()
        #expect(found == plan)
        #expect(resolution.plan.routes[0].rules[1].traffic.splitKey == nil)
    }

    @Test(arguments: [
        ("shop=header:", "names no key"), ("shop=header:a b", "names no key"), ("shop=query:a", "names no key"),
        ("header:x", "the route has 2 rules"), ("shops=header:x", "no rule is named 'shops'"),
    ])
    func wrongSplitKeys(text: String, message: String) {
        let found = errors(resolve("sluice.dev/split-key: '\(text)'"))
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
        #expect(found.first?.hasPrefix("\(Self.firstLine):") == true)
    }

    @Test func severalRulesInOneText() throws {
        let resolution = resolve("sluice.dev/split-key: |\n  shop=header:x\n  cart = client-address")
        #expect(errors(resolution) == [])
        #expect(resolution.plan.routes[0].rules.map { $0.traffic.splitKey?.source } == [.header, .clientAddress])
    }

    @Test(arguments: ["HTTPRoute", "GRPCRoute"]) func persistence(kind: String) throws {
        let session =
            "sessionPersistence: {type: Cookie, absoluteTimeout: 1h30m, cookie: {name: s, lifetimeType: Permanent}}"
        let resolution = resolve("sluice.dev/session-idle-timeout: shop=90s", kind: kind, session: session)
        #expect(errors(resolution) == [])
        var plan = try #require(try shop(resolution).traffic.sessionPersistence)
        #expect(plan.position.line > 0)
        plan.position = SourcePosition()
        #expect(
            plan
                == SessionPersistencePlan(
                    carrier: .cookie, name: "s", path: "/", isPermanent: true, absoluteTimeout: 5400, idleTimeout: 90))
    }

    @Test func headersPersistTooAndCookiesGetAName() throws {
        let header = resolve("a: b", session: "sessionPersistence: {type: Header, header: {name: x-session}}")
        var plan = try #require(try shop(header).traffic.sessionPersistence)
        #expect(plan.carrier == .header && plan.name == "x-session" && plan.absoluteTimeout == 0)
        let cookie = resolve("a: b", session: "sessionPersistence: {cookie: {path: /shop}}")
        plan = try #require(try shop(cookie).traffic.sessionPersistence)
        #expect(plan.name.hasPrefix("sluice-session-") && plan.path == "/shop" && !plan.isPermanent)
        #expect(errors(header) == [] && errors(cookie) == [])
    }

    @Test func restWithoutASessionIsAnError() {
        let found = errors(resolve("sluice.dev/session-idle-timeout: shop=90s"))
        #expect(found.count == 1 && found[0].contains("no sessionPersistence"), "\(found)")
        let other = errors(
            resolve(
                "sluice.dev/session-idle-timeout: shop=long",
                session: "sessionPersistence: {type: Header, header: {name: x}}"))
        #expect(other.count == 1 && other[0].contains("'long' is not a duration"), "\(other)")
    }

    @Test func aConditionIsPutIntoTheRoutesStatus() {
        var resolution = resolve("a: b")
        resolution.tell(
            [
                RolloutCondition(
                    route: ResourceName(namespace: "default", name: "r"), phase: .rolledBack, message: "no good",
                    since: 7)
            ]
        ) { "at \($0)" }
        var json = JSONWriter()
        resolution.writeResources(to: &json)
        let text = json.finish().view.string
        #expect(
            text.contains(
                #""type":"sluice.dev/Rollout","status":"False","reason":"RolledBack","message":"no good""#), "\(text)")
        #expect(text.contains(#""lastTransitionTime":"at 7""#))
    }
}
