import Config
import Core
import Routing

/// Turns records of a snapshot into words.
struct SnapshotReading {
    let snapshot: Snapshot
    let header: SnapshotHeader
    let plan: GatewayPlan

    /// In the place of endpoints: of a backend of type DynamicResolver.
    static let ownHost = "the request's own host"

    init(_ snapshot: Snapshot, _ plan: GatewayPlan) {
        self.snapshot = snapshot
        header = snapshot.header.pointee
        self.plan = plan
    }

    func fill(_ explanation: inout Explanation, _ found: RouteExplanation) {
        switch found.decision.outcome {
        case .noListener:
            explanation.status = 404
            explanation.verdict = "no listener of the address has this host"
        case .noRoute:
            explanation.status = 404
            explanation.verdict = "no route of the listener matches"
            explanation.listener = listener(found.decision.listener)
        case .rule:
            explanation.status = nil
            explanation.verdict = ""
            explanation.listener = listener(found.decision.listener)
            explanation.rule = rule(found.decision.rule)
        }
        explanation.omittedNearer = found.omittedBefore
        explanation.omitted = found.omittedBefore + found.omittedAfter
        for candidate in found.candidates { explanation.candidates.append(self.candidate(candidate)) }
    }

    func place(_ position: SourcePosition) -> Explanation.Place {
        let file =
            position.file < header.files.count
            ? snapshot.text(snapshot[header.files, Int(position.file)].pointee).string : ""
        return .init(file: file, line: Int(position.line), column: Int(position.column))
    }

    func listener(_ index: UInt32) -> Explanation.Listener {
        let record = snapshot[header.listeners, Int(index)].pointee
        return .init(
            gateway: snapshot.text(record.gatewayNamespace).string + "/" + snapshot.text(record.gatewayName).string,
            name: snapshot.text(record.name).string, hostname: snapshot.text(record.hostname).string,
            place: place(record.position), policies: policies(ofListener: index),
            fallback: centralGateways(listenerPlan(index)?.fallback))
    }

    func route(_ index: UInt32) -> Explanation.Route {
        let record = snapshot[header.routes, Int(index)].pointee
        return .init(
            kind: snapshot.text(record.kind).string, name: snapshot.text(record.qualifiedName).string,
            place: place(record.position))
    }

    func rule(_ index: UInt32) -> Explanation.Rule {
        let record = snapshot[header.rules, Int(index)].pointee
        var rule = Explanation.Rule(
            route: route(record.route), index: Int(record.index), name: snapshot.text(record.name).string,
            place: place(record.position))
        // What was decided stands in the plan too, in plain values.
        let planned = plan.routes[Int(record.route)].rules[Int(record.index)]
        rule.filters = FilterWords.lines(planned.filters, plan) + FilterWords.lines(planned.traffic)
        rule.ownAnswer =
            planned.filters.directResponse.map { $0.statusCode ?? 200 } ?? planned.filters.redirect?.statusCode
            ?? planned.backends.first?.filters.redirect?.statusCode
        // The route's own word goes before a policy's.
        let traffic = planned.traffic
        if let time = planned.requestTimeout ?? traffic.timeouts.request?.amount, time > .zero {
            rule.requestTimeout = time
        }
        if let time = planned.backendRequestTimeout ?? traffic.retry?.attemptTimeout?.amount, time > .zero {
            rule.backendRequestTimeout = time
        }
        rule.retry = planned.retry ?? traffic.retry?.retry
        rule.policies = planned.policies.map(policy)
        rule.releases = ReleaseWords.lines(planned).map { ($0.title, $0.text, place($0.position)) }
        let total = planned.backends.reduce(0) { $0 + UInt64($1.weight) }
        for backend in planned.backends {
            var endpoints: [String] = []
            var answer: UInt16?
            var dnsName: String?
            var balancing: String?
            var tunnel: String?
            var fallback = Explanation.CentralGateways()
            var allowsLocalTargets: Bool?
            switch backend.target {
            case .cluster(let number):
                endpoints = plan.clusters[number].endpoints.map {
                    $0.unixPath.isEmpty ? $0.address.description : "unix:\($0.unixPath)"
                }
                allowsLocalTargets = plan.clusters[number].dynamicResolver?.allowsLocalTargets
                if allowsLocalTargets != nil { endpoints = [Self.ownHost] }
                balancing = BalancingWords.text(plan.clusters[number])
                tunnel = plan.clusters[number].tunnel.map { self.tunnel($0) }
                fallback = centralGateways(plan.clusters[number].fallback)
                let names = plan.clusters[number].dnsNames.map(\.name)
                dnsName = names.isEmpty ? nil : names.joined(separator: ", ")
            case .answer(let status): answer = status
            }
            rule.backends.append(
                .init(
                    name: backend.name, weight: backend.weight,
                    share: total == 0 ? 0 : Double(backend.weight) / Double(total), endpoints: endpoints,
                    dnsName: dnsName, answer: answer, filters: FilterWords.lines(backend.filters, plan),
                    balancing: balancing, tunnel: tunnel, fallback: fallback,
                    allowsLocalTargets: allowsLocalTargets, place: place(backend.position)))
        }
        return rule
    }

    private func tunnel(_ plan: TunnelPlan) -> String {
        "through HBONE, " + (plan.port == 0 ? "which the endpoint itself speaks" : "at port \(plan.port)")
    }

    /// The addresses of a central gateway, as a listener or backend has it.
    func centralGateways(_ fallback: FallbackPlan?) -> Explanation.CentralGateways {
        guard let fallback else { return Explanation.CentralGateways() }
        let cluster = plan.clusters[fallback.http1]
        let isTunnelled = cluster.tunnel != nil
        let places = cluster.endpoints.map(\.address.description) + cluster.dnsNames.map { "\($0.name):\($0.port)" }
        return .init(addresses: places.map { (isTunnelled ? "hbone://" : "") + $0 }, isTunnelled: isTunnelled)
    }

    /// Listeners stand in the snapshot in the order of the plan's sockets.
    func listenerPlan(_ index: UInt32) -> ListenerPlan? {
        var left = Int(index)
        for socket in plan.sockets {
            if left < socket.listeners.count { return socket.listeners[left] }
            left -= socket.listeners.count
        }
        return nil
    }

    private func policies(ofListener index: UInt32) -> [Explanation.Policy] {
        listenerPlan(index)?.policies.map(policy) ?? []
    }

    func policy(_ plan: AppliedPolicyPlan) -> Explanation.Policy {
        var problem = ""
        let role: String
        switch plan.role {
        case .effective: role = "effective"
        case .base: role = "base"
        case .refused(let why): (role, problem) = ("refused", why)
        }
        return .init(kind: plan.kind, name: plan.name, role: role, problem: problem, place: place(plan.position))
    }

    private func placeOfPlan(_ position: SourcePosition) -> Explanation.Place { place(position) }
}
