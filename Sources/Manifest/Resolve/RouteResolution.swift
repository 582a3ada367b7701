import Config
import Core

/// Attaches the routes of a set to listeners, in the order of their precedence, and makes their plans and statuses.
struct RouteResolution {
    let gateways: [ResourceName: GatewayState]
    let listenerSets: [ResourceName: ListenerSetState]
    let foreignGateways: Set<ResourceName>
    let defaultGateways: [GatewayState]
    let namespaces: NamespaceTable
    let members: GroupTable
    /// Which kind of routes has each port of a member.
    let kinds: MemberRouteKinds
    var rules: RuleResolver
    var tlsPolicies: BackendTLSPolicyTable
    var backendTraffic: BackendTrafficTable
    private(set) var security: SecurityPolicyTable
    private var overlap = RuleOverlap()
    private(set) var hostnames: RouteHostnames
    var plans: [RoutePlan] = []
    /// By number among the set's resources.
    private(set) var statuses: [Int: [RouteParentStatus]] = [:]

    init(
        gateways: [GatewayState], listenerSets: [ListenerSetState], foreignGateways: Set<ResourceName>,
        namespaces: NamespaceTable, members: GroupTable, rules: RuleResolver, tlsPolicies: BackendTLSPolicyTable,
        backendTraffic: BackendTrafficTable, security: SecurityPolicyTable
    ) {
        self.gateways = Dictionary(uniqueKeysWithValues: gateways.map { ($0.name, $0) })
        self.listenerSets = Dictionary(uniqueKeysWithValues: listenerSets.map { ($0.name, $0) })
        self.foreignGateways = foreignGateways
        self.namespaces = namespaces
        self.members = members
        kinds = MemberRouteKinds(rules.index, members)
        self.rules = rules
        hostnames = RouteHostnames(rules.index)
        self.tlsPolicies = tlsPolicies
        self.backendTraffic = backendTraffic
        self.security = security
        defaultGateways = gateways.filter(\.gateway.isDefault)
    }

    var clusters: [ClusterPlan] { rules.clusters.clusters }

    mutating func resolveAll(_ index: ResourceIndex, findings: inout FindingLog) {
        let order = index.byAge(index.routes)
        plans.reserveCapacity(order.count)
        statuses.reserveCapacity(order.count)
        for number in order { resolve(number, index.resources[number], findings: &findings) }
        // In an order that every process has.
        let owners = gateways.values.sorted { $0.name < $1.name }
        let sets = listenerSets.values.sorted { $0.name < $1.name }
        makeDirectRoutes(findings: &findings)
        backendTraffic.finish(gateways: owners, listenerSets: sets, members: members, findings: &findings)
        security.finish(gateways: owners, listenerSets: sets, members: members, findings: &findings)
        tellOverlaps(order, index, findings: &findings)
    }

    /// How the rules of a route use their backends for what comes in at a listener.
    private struct RouteSetting: Equatable {
        var common: BackendSetting
        /// Of each rule; empty: no policy has to do with any.
        var policies: [RulePolicies] = []
        /// For calls to members of this group, who can all be called without the route.
        var group: Int?
    }

    /// What a route is where its backends are used in one way.
    private struct Version {
        var setting: RouteSetting
        var verdict = RouteVerdict()
        var rules: [RulePlan] = []
        /// BackendTLSPolicies that have to do with its backends.
        var touches: [BackendTLSPolicyTable.Touch] = []
        /// Its number among the plans, when it serves somewhere.
        var number: Int?

        /// What its matches ask, for ``RuleOverlap``.
        func signatures(_ kind: RouteKind) -> [UInt64] {
            kind.hasMatches ? rules.flatMap { $0.matches.map(RuleOverlap.signature) } : []
        }
    }

    private mutating func resolve(_ number: Int, _ resource: LoadedResource, findings: inout FindingLog) {
        guard let kind = RouteKind(resource.kind) else { preconditionFailure("not a route: \(resource.kind)") }
        let route = Route(resource.node, kind: kind, file: resource.file)
        var parents = parents(of: route, resource, findings: &findings)
        let services = serviceParents(of: route, resource, findings: &findings)
        guard !parents.isEmpty || !services.isEmpty else { return }
        for index in parents.indices { choose(&parents[index], route, resource, findings: &findings) }

        let annotations = ReleaseAnnotations(route, resource)
        var versions: [Version] = []
        /// The version of the route for a setting, made when it is first wanted.
        func version(_ setting: RouteSetting) -> Int {
            if let known = versions.firstIndex(where: { $0.setting == setting }) { return known }
            var version = Version(setting: setting)
            version.rules.reserveCapacity(route.rules.count)
            for (number, rule) in route.rules.enumerated() {
                var traffic = RuleTraffic()
                if !setting.policies.isEmpty {
                    traffic = RuleTraffic(setting.policies[number], &backendTraffic, rules.index, findings: &findings)
                }
                var resolved = rules.resolve(
                    rule, of: resource, kind, setting.common, traffic,
                    reach: setting.group.map { members.names(ofGroup: $0) }, findings: &findings)
                if annotations != nil || rule.sessionPersistence.exists, traffic.refusal == nil {
                    resolved.readRelease(rule, annotations, of: resource, kind)
                }
                version.verdict.add(resolved)
                if !kind.hasMatches || !resolved.plan.matches.isEmpty { version.rules.append(resolved.plan) }
            }
            if let annotations { version.verdict.add(annotations.problems) }
            version.touches = rules.clusters.takeTouches()
            version.verdict.tell(resource, into: &findings)
            versions.append(version)
            return versions.count - 1
        }

        var status: [RouteParentStatus] = []
        status.reserveCapacity(parents.count + services.count)
        let statusPlaces = Self.places(parents.map(\.reference) + services.map(\.reference))
        for (position, parent) in parents.enumerated() {
            if let refusal = parent.refusal { findings.unresolved(resource, parent.node, refusal.message) }
            for (listener, hostnames) in parent.listeners {
                let chosen = version(setting(of: route, resource, on: listener, parent))
                let plan = plan(&versions[chosen], of: resource, kind)
                let isRefused = versions[chosen].verdict.isRefused
                if !versions[chosen].touches.isEmpty {
                    tlsPolicies.note(
                        versions[chosen].touches, through: ancestor(of: parent), rules.index, findings: &findings)
                }
                listener.attach(route: plan, hostnames: hostnames, isCounted: !isRefused)
                self.hostnames.add(hostnames, of: kind, on: listener)
                if !isRefused {
                    let place = RuleOverlap.Place(route: UInt32(number), parent: statusPlaces[position])
                    overlap.add(
                        versions[chosen].signatures(kind), listener: listener, hostnames: hostnames, place: place)
                }
            }
            var wanted = versions.first?.setting ?? RouteSetting(common: BackendSetting(use: BackendSetting.Use(kind)))
            if let first = parent.listeners.first {
                wanted = setting(of: route, resource, on: first.listener, parent)
            }
            let judged = version(wanted)
            status.append(
                RouteParentStatus(
                    reference: parent.reference, identity: identity(of: parent),
                    conditions: versions[judged].verdict.conditions(refusal: parent.refusal)))
        }
        for (position, parent) in services.enumerated() {
            if let refusal = parent.refusal { findings.unresolved(resource, parent.node, refusal.message) }
            for port in parent.ports {
                let chosen = version(setting(of: route, resource, to: parent.member, port: port))
                let plan = plan(&versions[chosen], of: resource, kind)
                if !versions[chosen].touches.isEmpty {
                    tlsPolicies.note(
                        versions[chosen].touches, through: ancestor(of: parent), rules.index, findings: &findings)
                }
                parent.attach(plan, kind, of: resource, port: port)
                if let member = parent.member, !versions[chosen].verdict.isRefused {
                    overlap.add(
                        versions[chosen].signatures(kind), member: member, port: port,
                        consumers: parent.consumers(of: resource),
                        place: RuleOverlap.Place(route: UInt32(number), parent: statusPlaces[parents.count + position]))
                }
            }
            let wanted = setting(of: route, resource, to: parent.member, port: parent.ports.first)
            status.append(
                RouteParentStatus(
                    reference: parent.reference, identity: parent.identity,
                    conditions: versions[version(wanted)].verdict.conditions(refusal: parent.refusal)))
        }
        if !services.isEmpty {
            var sorted = status
            for (index, place) in statusPlaces.enumerated() { sorted[Int(place)] = status[index] }
            status = sorted
        }
        statuses[number] = status
        guard !backendTraffic.isEmpty || !security.isEmpty else { return }
        var places = parents.map { parent in
            var reference = ancestor(of: parent)
            reference.port = nil
            return PolicyAttachments.Parent(
                reference: reference, group: parent.group, gateway: parent.gateway,
                listeners: parent.listeners.map(\.listener))
        }
        for parent in services {
            guard let member = parent.member else { continue }
            places.append(
                PolicyAttachments.Parent(
                    reference: AncestorStatus.Reference(
                        kind: "Service", name: member.name, sectionName: parent.sectionName),
                    group: member.gateway.group, gateway: member.gateway, listeners: [],
                    service: (member, parent.ports)))
        }
        let names = route.rules.map(\.name)
        backendTraffic.note(resource, rules: names, at: places, findings: &findings)
        security.note(resource, rules: names, at: places, findings: &findings)
    }

    /// Where the status for each parent stands: in the order of the parentRefs, those of defaults last.
    private static func places(_ references: [RouteParentStatus.Reference]) -> [UInt32] {
        let order = references.indices.sorted { (references[$0].order, $0) < (references[$1].order, $1) }
        var places = [UInt32](repeating: 0, count: order.count)
        for (place, index) in order.enumerated() { places[index] = UInt32(place) }
        return places
    }

    /// The number of the version's plan, which is made when the route first serves somewhere.
    private mutating func plan(_ version: inout Version, of resource: LoadedResource, _ kind: RouteKind) -> Int {
        if let known = version.number { return known }
        plans.append(
            RoutePlan(
                kind: kind.name, namespace: resource.name.namespace, name: resource.name.name, rules: version.rules,
                position: resource.node.position(in: resource.file)))
        version.number = plans.count - 1
        return plans.count - 1
    }

    private func setting(
        of route: Route, _ resource: LoadedResource, on listener: ListenerState, _ parent: Parent
    ) -> RouteSetting {
        var common = BackendSetting(use: BackendSetting.Use(route.kind))
        // Through a group's listeners callers bring TLS of their own, unless the listener is there to end it.
        let isPassedOn = listener.listener.isPassthrough || listener.isOfGroup && listener.protocolKind != .tlsTerminate
        if route.kind == .tls, isPassedOn { common.use = .passthrough }
        common.belong(to: parent.gateway)
        if backendTraffic.isEmpty, security.isEmpty { return RouteSetting(common: common) }
        let policies = route.rules.map { rule in
            RulePolicies(
                traffic: backendTraffic.attachments.inForce(
                    resource, rule: rule.name, on: listener, parent.group, parent.gateway),
                security: security.policy(resource, rule: rule.name, on: listener, parent.group, parent.gateway))
        }
        return RouteSetting(common: common, policies: policies.allSatisfy(\.isEmpty) ? [] : policies)
    }

    /// - Parameter port: nil: no port of the Service takes the route.
    private func setting(
        of route: Route, _ resource: LoadedResource, to member: MemberState?, port: Int?
    ) -> RouteSetting {
        // What clients encrypt for a Service is not encrypted again.
        var common = BackendSetting(use: route.kind == .tls ? .passthrough : BackendSetting.Use(route.kind))
        guard let member else { return RouteSetting(common: common) }
        common.belong(to: member.gateway)
        guard let port, !backendTraffic.isEmpty || !security.isEmpty else {
            return RouteSetting(common: common, group: member.group)
        }
        let policies = route.rules.map { self.policies(resource, rule: $0.name, to: member, port: port) }
        return RouteSetting(
            common: common, policies: policies.allSatisfy(\.isEmpty) ? [] : policies, group: member.group)
    }

    /// The policies of a rule for calls to a port of a Service.
    func policies(_ route: LoadedResource?, rule: String, to member: MemberState, port: Int) -> RulePolicies {
        RulePolicies(
            traffic: backendTraffic.attachments.inForce(route, rule: rule, to: member, port: port),
            security: security.policy(route, rule: rule, to: member, port: port))
    }

    /// The parent as policies name it that work through it.
    private func ancestor(of parent: Parent) -> AncestorStatus.Reference {
        AncestorStatus.Reference(
            kind: parent.group.kindName, name: parent.group.name, sectionName: parent.sectionName, port: parent.port)
    }

    // MARK: overlaps

    private mutating func tellOverlaps(_ order: [Int], _ index: ResourceIndex, findings: inout FindingLog) {
        for (place, other) in overlap.found.sorted(by: { ($0.key.route, $0.key.parent) < ($1.key.route, $1.key.parent) }
        ) {
            let number = Int(place.route)
            let name = index.resources[Int(other)].name
            statuses[number]?[Int(place.parent)].conditions.append(
                Condition(
                    .routeRulesOverlap, true, .routeRulesOverlap,
                    "Some matches are those of \(index.resources[Int(other)].kind.name) '\(name)' too; the older route gets their requests"
                ))
        }
    }
}
