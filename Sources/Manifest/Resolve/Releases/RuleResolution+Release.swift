import Config
import Core

extension RuleResolution {
    /// Which backendRef a client stays with, by persistence and by the route's annotations.
    mutating func readRelease(
        _ rule: Route.Rule, _ annotations: ReleaseAnnotations?, of resource: LoadedResource, _ kind: RouteKind
    ) {
        guard invalid == nil, !isBroken else { return }
        if rule.sessionPersistence.exists {
            plan.traffic.sessionPersistence = SessionPersistencePlan(
                rule.sessionPersistence, idleTimeout: annotations?.idleTimeout(of: rule) ?? 0,
                owner: "\(kind.name)/\(resource.name)/\(rule.name.isEmpty ? rule.node.path : rule.name)",
                file: resource.file)
        }
        guard let annotations else { return }
        plan.traffic.splitKey = annotations.splitKey(of: rule)
        switch annotations.rollout(
            of: rule, backends: plan.backends, in: resource.name.namespace, file: resource.file)
        {
        case .success(let rollout): plan.traffic.rollout = rollout
        case .failure(let failure): refusedParts.append(failure.problem)
        case nil: break
        }
    }
}

extension SessionPersistencePlan {
    /// - Parameters:
    ///   - node: `sessionPersistence`, of which the schema has made sure.
    ///   - idleTimeout: seconds; 0: none.
    ///   - owner: tells this rule from all others, for a cookie that is not named.
    init(_ node: WrittenNode, idleTimeout: UInt32, owner: String, file: UInt32) {
        let timeout = node[.absoluteTimeout].string.flatMap { GatewayDuration.parse($0) } ?? .zero
        let seconds = timeout > .zero ? UInt32(clamping: max(1, (timeout.milliseconds + 999) / 1000)) : 0
        let position = node.position(in: file)
        if node[.type].string == "Header" {
            self.init(
                carrier: .header, name: node[.header][.name].string ?? "", absoluteTimeout: seconds,
                idleTimeout: idleTimeout, position: position)
            return
        }
        let cookie = node[.cookie]
        self.init(
            carrier: .cookie, name: cookie[.name].string ?? Self.generatedName(owner),
            path: cookie[.path].string ?? "/", isPermanent: cookie[.lifetimeType].string == "Permanent",
            absoluteTimeout: seconds, idleTimeout: idleTimeout, position: position)
    }

    /// The same for one rule in all gateways.
    private static func generatedName(_ owner: String) -> String {
        var hash = SpecHash()
        hash.add(1, owner)
        let digits = String(hash.value, radix: 16)
        return "sluice-session-" + String(repeating: "0", count: 16 - digits.count) + digits
    }
}
