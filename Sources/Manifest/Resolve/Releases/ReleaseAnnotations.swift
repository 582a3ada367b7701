import Config
import Core

/// What a route's annotations say of its releases, read once for the route. Nil members: no such annotation.
struct ReleaseAnnotations {
    static let splitKey: StaticString = "sluice.dev/split-key"
    static let idleTimeout: StaticString = "sluice.dev/session-idle-timeout"
    static let rollout: StaticString = "sluice.dev/rollout"

    /// What is wrong with one of them, and where.
    struct Problem {
        var node: WrittenNode
        var location: SourceLocation
        var message: String
    }

    private var splitKeys: [(rule: String?, plan: SplitKeyPlan)] = []
    private var idleTimeouts: [(rule: String?, seconds: UInt32)] = []
    private var rollouts: [RolloutText.Rollout] = []
    private var rolloutNode: WrittenNode?
    /// Each is told once, at the route.
    private(set) var problems: [Problem] = []

    /// Nil when the route has none of them.
    init?(_ route: Route, _ resource: LoadedResource) {
        guard resource.node[.metadata][.annotations].exists, route.kind.hasMatches else { return nil }
        let names = route.rules.map(\.name)
        let splitKey = AnnotationText(Self.splitKey, of: resource)
        let idle = AnnotationText(Self.idleTimeout, of: resource)
        let rollout = AnnotationText(Self.rollout, of: resource)
        guard splitKey != nil || idle != nil || rollout != nil else { return nil }
        if let splitKey {
            for entry in splitKey.entries {
                guard check(entry.rule, names, splitKey, entry.line) else { continue }
                guard var plan = SplitKeyPlan(entry.value) else {
                    refuse(
                        splitKey, entry.line,
                        "'\(entry.value)' names no key; write header:NAME, cookie:NAME or client-address")
                    continue
                }
                plan.position = splitKey.node.position(in: resource.file)
                splitKeys.append((entry.rule, plan))
            }
        }
        if let idle {
            for entry in idle.entries {
                guard check(entry.rule, names, idle, entry.line) else { continue }
                guard let time = GatewayDuration.parse(entry.value), time > .zero else {
                    refuse(idle, entry.line, "'\(entry.value)' is not a duration such as 30m")
                    continue
                }
                if !route.rules.contains(where: {
                    (entry.rule == nil || entry.rule == $0.name) && $0.sessionPersistence.exists
                }) {
                    refuse(idle, entry.line, "the rule has no sessionPersistence whose sessions could rest")
                    continue
                }
                idleTimeouts.append((entry.rule, UInt32(clamping: max(1, (time.milliseconds + 999) / 1000))))
            }
        }
        if let rollout { read(rollout, route, names) }
    }

    private mutating func read(_ annotation: AnnotationText, _ route: Route, _ names: [String]) {
        rolloutNode = annotation.node
        guard route.kind == .http else {
            return refuse(annotation, 1, "is for HTTPRoutes; a \(route.kind.name) has none")
        }
        let text = RolloutText(annotation)
        for problem in text.problems {
            problems.append(
                Problem(
                    node: annotation.node, location: problem.location,
                    message: problem.message))
        }
        for rollout in text.rollouts {
            if let message = Self.ruleProblem(rollout.rule, names) {
                problems.append(
                    Problem(
                        node: annotation.node, location: rollout.location, message: message))
            } else {
                rollouts.append(rollout)
            }
        }
    }

    private mutating func check(_ rule: String?, _ names: [String], _ annotation: AnnotationText, _ line: Int) -> Bool {
        guard let message = Self.ruleProblem(rule, names) else { return true }
        refuse(annotation, line, message)
        return false
    }

    private static func ruleProblem(_ rule: String?, _ names: [String]) -> String? {
        guard let rule else {
            return names.count == 1 ? nil : "the route has \(names.count) rules; say which one is meant, by its name"
        }
        if names.contains(rule) { return nil }
        let named = names.filter { !$0.isEmpty }
        if named.isEmpty { return "no rule is named '\(rule)'; give the rule this name (rules[].name)" }
        let known = named.map { "'\($0)'" }.joined(separator: ", ")
        return "no rule is named '\(rule)'; there \(named.count == 1 ? "is" : "are") \(known)"
    }

    private mutating func refuse(_ annotation: AnnotationText, _ line: Int, _ message: String) {
        problems.append(
            Problem(
                node: annotation.node, location: annotation.location(line: line, column: 1),
                message: message))
    }

    // MARK: one rule's part

    private func isFor<Entry>(_ rule: Route.Rule, _ entries: [Entry], _ name: (Entry) -> String?) -> Entry? {
        entries.last { name($0) == nil || name($0) == rule.name }
    }

    func splitKey(of rule: Route.Rule) -> SplitKeyPlan? { isFor(rule, splitKeys) { $0.rule }?.plan }
    func idleTimeout(of rule: Route.Rule) -> UInt32 { isFor(rule, idleTimeouts) { $0.rule }?.seconds ?? 0 }

    /// The rollout of a rule whose backends are resolved. Not a plan: why there is none.
    func rollout(
        of rule: Route.Rule, backends: [BackendPlan], in namespace: String, file: UInt32
    ) -> Result<RolloutPlan, RolloutProblem>? {
        guard let written = isFor(rule, rollouts, { $0.rule }), let rolloutNode else { return nil }
        func refused(_ message: String) -> Result<RolloutPlan, RolloutProblem> {
            .failure(
                RolloutProblem(
                    problem: Problem(
                        node: rolloutNode, location: written.location, message: message)))
        }
        let canary = Self.places(written.canary, backends, namespace)
        let stable = Self.places(written.stable, backends, namespace)
        for (name, places) in [(written.canary, canary), (written.stable, stable)] where places.count != 1 {
            let known = backends.map { "'\($0.name)'" }.joined(separator: ", ")
            return refused(
                places.isEmpty
                    ? "the rule has no backendRef '\(name)'; it has \(known.isEmpty ? "none" : known)"
                    : "'\(name)' may be several backendRefs of the rule; it has \(known)")
        }
        guard canary[0] != stable[0] else { return refused("canary and stable are the same backendRef") }
        guard backends[canary[0]].weight > 0 || backends[stable[0]].weight > 0 else {
            return refused("canary and stable have weight 0 together, so there is nothing to share out")
        }
        var hash = SpecHash()
        hash.add(written.hash)
        hash.add(SpecHash.of(rule.node))
        return .success(
            RolloutPlan(
                canary: canary[0], stable: stable[0], steps: written.steps, interval: written.interval,
                minRequests: written.minRequests, failureTolerance: written.failureTolerance,
                latencyRatio: written.latencyRatio, specHash: hash.value,
                position: SourcePosition(
                    file: file, line: UInt32(clamping: written.location.line),
                    column: UInt32(clamping: written.location.column))))
    }

    /// The backends that `name` may mean: `namespace/name:port`, with what goes without saying left out.
    private static func places(_ name: String, _ backends: [BackendPlan], _ namespace: String) -> [Int] {
        backends.indices.filter { index in
            // A Backend of Envoy Gateway's stands under a prefix of its own, since a Service may have the same name.
            let full = Self.without("backend/", backends[index].name)
            if full == name || backends[index].name == name { return true }
            let near = Self.without(namespace + "/", full)
            if near == name { return true }
            guard let colon = near.lastIndex(of: ":") else { return false }
            return near[..<colon] == name
        }
    }
}

extension ReleaseAnnotations {
    private static func without(_ prefix: String, _ name: String) -> String {
        name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }
}

/// Why a rule's rollout cannot be.
struct RolloutProblem: Error {
    var problem: ReleaseAnnotations.Problem
}

extension SplitKeyPlan {
    /// One value of `sluice.dev/split-key`; nil when it is none.
    init?(_ text: String) {
        if text == "client-address" {
            self.init(source: .clientAddress)
            return
        }
        let source: Source
        let name: Substring
        if text.hasPrefix("header:") {
            source = .header
            name = text.dropFirst(7)
        } else if text.hasPrefix("cookie:") {
            source = .cookie
            name = text.dropFirst(7)
        } else {
            return nil
        }
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenOctet) else { return nil }
        self.init(source: source, name: String(name))
    }

    /// RFC 9110, section 5.6.2.
    private static func isTokenOctet(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
