import Config
import Core

@testable import Manifest

/// A resolution as lines of text, for reading and comparing.
struct GoldenReport {
    private var statuses: [String] = []
    private var plan: [String] = []
    private var findings: [String] = []

    init(_ resolution: Resolution) {
        for shown in resolution.shown { tell(shown) }
        for socket in resolution.plan.sockets { tell(socket, resolution.plan) }
        for route in resolution.plan.routes { tell(route, resolution.plan) }
        for group in resolution.plan.groups { tell(group, resolution.plan) }
        for workload in resolution.plan.workloads {
            plan.append("at \(workload.address): \(workload.namespace)/\(workload.name) of \(workload.service)")
        }
        for (number, cluster) in resolution.plan.clusters.enumerated() { tell(cluster, number) }
        plan += resolution.plan.authorizationLines
        findings = resolution.findings.map { "\($0.kind) \($0)" }
    }

    /// An object of three lists, an entry a line.
    var json: String {
        func list(_ name: String, _ lines: [String]) -> String {
            let quoted = lines.map { line in
                var writer = JSONWriter()
                writer.value(line)
                return "    " + writer.finish().view.string
            }
            return "  \"\(name)\": [" + (quoted.isEmpty ? "" : "\n" + quoted.joined(separator: ",\n") + "\n  ") + "]"
        }
        let lists = [list("statuses", statuses), list("plan", plan), list("findings", findings)]
        return "{\n" + lists.joined(separator: ",\n") + "\n}\n"
    }

    // MARK: statuses

    private mutating func tell(_ shown: Resolution.Shown) {
        let metadata = shown.node[.metadata]
        let name = "\(shown.kind.name) \(metadata[.name].text.string)"
        func add(_ where: String, _ conditions: [Condition]) {
            for condition in conditions {
                let value = condition.isTrue ? "True" : "False"
                let isWell =
                    "\(condition.type.text)" == "\(condition.reason.text)" || condition.reason == .noConflicts
                let message = isWell && condition.type != .routeRulesOverlap ? "" : ": \(condition.message)"
                statuses.append("\(name)\(`where`) \(condition.type.text) \(value) \(condition.reason.text)\(message)")
            }
        }
        func addListeners(_ listeners: [ListenerStatus]) {
            for listener in listeners {
                statuses.append(
                    "\(name) listener \(listener.name) takes \(listener.supportedKinds), has \(listener.attachedRoutes)"
                )
                add(" listener \(listener.name)", listener.conditions)
            }
        }
        switch shown.status {
        case .none: break
        case .gatewayClass(let conditions): add("", conditions)
        case .gateway(let status):
            statuses.append("\(name) addresses \(status.addresses)")
            if let count = status.attachedListenerSets { statuses.append("\(name) has \(count) ListenerSets") }
            add("", status.conditions)
            addListeners(status.listeners)
        case .listenerSet(let status):
            add("", status.conditions)
            addListeners(status.listeners)
        case .route(let parents):
            if parents.isEmpty { statuses.append("\(name) has no parents") }
            for parent in parents { add(" at \(parent.reference)", parent.conditions) }
        case .policy(let ancestors):
            if ancestors.isEmpty { statuses.append("\(name) has no ancestors") }
            for ancestor in ancestors {
                let section = ancestor.reference.sectionName.map { "/\($0)" } ?? ""
                add(" at \(ancestor.reference.kind) \(ancestor.reference.name)\(section)", ancestor.conditions)
            }
        case .backend(let conditions): add("", conditions)
        }
    }

    // MARK: the plan

    private mutating func tell(_ socket: SocketPlan, _ whole: GatewayPlan) {
        for listener in socket.listeners {
            let place = "\(socket.address) \(listener.gatewayNamespace)/\(listener.gatewayName)/\(listener.name)"
            plan.append("listen \(place) '\(listener.hostname)' line \(listener.position.line)" + Self.text(listener))
            if socket.proxyProtocol != .off { plan.append("  PROXY protocol \(socket.proxyProtocol)") }
            // What is not a policy's stands in the line above.
            var usual = TLSParameters()
            usual.alpn = listener.tls?.parameters.alpn ?? []
            if let tls = listener.tls, tls.parameters != usual { plan.append("  tls \(tls.parameters)") }
            if var asked = listener.tls?.clientValidation,
                asked != ClientValidationPlan(mode: asked.mode, authorities: asked.authorities)
            {
                asked.authorities = "\(asked.authorities.utf8.count) octets"
                asked.revocationLists = "\(asked.revocationLists.utf8.count) octets"
                plan.append("  asks \(asked)")
            }
            if listener.forwardedClientCert != ForwardedClientCertPlan() {
                let told = listener.forwardedClientCert
                plan.append("  tells \(told.mode) \(told.details.rawValue) of client certificates")
            }
            for attachment in listener.attachments {
                plan.append("  \(attachment.hostnames) → \(whole.routes[attachment.route].name)")
            }
        }
    }

    /// What is more than a Gateway's own HTTP listener.
    private static func text(_ listener: ListenerPlan) -> String {
        var text = listener.listenerProtocol == .http ? "" : ", \(listener.listenerProtocol)"
        if let group = listener.group { text += ", of group \(group)" }
        if listener.interception != .none { text += ", \(listener.interception)" }
        if !listener.listenerSet.isEmpty { text += ", of \(listener.listenerSet)" }
        guard let tls = listener.tls else { return text }
        for certificate in tls.certificates {
            text += ", shows \(certificate.name)"
            if !certificate.ocspResponse.isEmpty { text += " with \(certificate.ocspResponse.count) octets of OCSP" }
        }
        text += ", ALPN \(tls.parameters.alpn)"
        if let validation = tls.clientValidation {
            let count = PEMBlock.certificates(in: validation.authorities).count
            text += ", clients \(validation.mode) by \(count) authorities"
        }
        return text
    }

    private mutating func tell(_ group: GroupPlan, _ whole: GatewayPlan) {
        func names(_ routes: [Int]) -> [String] {
            routes.map { "\(whole.routes[$0].kind) \(whole.routes[$0].namespace)/\(whole.routes[$0].name) #\($0)" }
        }
        plan.append(
            "group \(group.namespace)/\(group.name) domain \(group.clusterDomain) egress \(group.egress)"
                + names(group.egressRoute.map { [$0] } ?? []).map { " by \($0)" }.joined())
        for member in group.members {
            plan.append("  member \(member.namespace)/\(member.name) \(member.addresses)")
            for port in member.ports {
                plan.append(
                    "    port \(port.number) '\(port.name)' \(port.memberProtocol) \(names(port.routes)) "
                        + "\(names(port.streamRoutes)) at \(port.endpoints)")
                for consumer in port.consumers {
                    plan.append(
                        "      of \(consumer.namespace) \(names(consumer.routes)) \(names(consumer.streamRoutes))")
                }
            }
        }
    }

    private mutating func tell(_ route: RoutePlan, _ whole: GatewayPlan) {
        plan.append("\(route.kind) \(route.namespace)/\(route.name)")
        for rule in route.rules {
            var line = "  rule"
            if !rule.name.isEmpty { line += " '\(rule.name)'" }
            line += " line \(rule.position.line)"
            if let timeout = rule.requestTimeout { line += " request \(timeout.milliseconds)ms" }
            if let timeout = rule.backendRequestTimeout { line += " backendRequest \(timeout.milliseconds)ms" }
            if let retry = rule.retry {
                line += " retry \(retry.codes) ×\(retry.attempts) after \(retry.backOff.base.milliseconds)ms"
            }
            plan.append(line)
            for policy in rule.policies { plan.append("    \(policy.kind) \(policy.name) \(policy.role)") }
            for match in rule.matches { plan.append("    match " + Self.text(match)) }
            for line in Self.lines(rule.filters) { plan.append("    " + line) }
            for backend in rule.backends {
                let target: String
                switch backend.target {
                case .cluster(let number): target = "cluster \(number)"
                case .answer(let status): target = "answer \(status)"
                }
                plan.append("    \(target) weight \(backend.weight) '\(backend.name)'")
                for line in Self.lines(backend.filters) { plan.append("      " + line) }
            }
        }
    }

    private static func text(_ match: MatchPlan) -> String {
        var parts: [String] = []
        switch match.path {
        case .exact(let path): parts.append("= \(path)")
        case .prefix(let path): parts.append("^ \(path)")
        case .regularExpression(let path): parts.append("~ \(path)")
        case .lateExpression(let path): parts.append("~~ \(path)")
        }
        if let method = match.method { parts.append(method) }
        for header in match.headers { parts.append("\(header.name): \(sign(header)) \(header.value)") }
        for query in match.queryParams { parts.append("?\(query.name) \(sign(query)) \(query.value)") }
        return parts.joined(separator: ", ")
    }

    private static func sign(_ match: ValueMatchPlan) -> String { match.kind == .exact ? "=" : "~" }

    private static func lines(_ filters: FilterPlan) -> [String] {
        var lines: [String] = []
        for edit in filters.requestHeaders { lines.append("request \(edit.action) \(edit.name): \(edit.value)") }
        for edit in filters.responseHeaders { lines.append("response \(edit.action) \(edit.name): \(edit.value)") }
        if let redirect = filters.redirect { lines.append("\(redirect)") }
        if let rewrite = filters.rewrite { lines.append("\(rewrite)") }
        for mirror in filters.mirrors {
            lines.append("mirror to cluster \(mirror.cluster), \(mirror.numerator) of \(mirror.denominator)")
        }
        if let cors = filters.cors { lines.append("\(cors)") }
        return lines
    }

    private mutating func tell(_ cluster: ClusterPlan, _ number: Int) {
        var line = "cluster \(number) \(cluster.name) \(cluster.backendProtocol) \(cluster.endpoints.map(\.address))"
        for target in cluster.dnsNames { line += " resolves \(target.name):\(target.port)" }
        if cluster.proxyProtocol != .none { line += " PROXY \(cluster.proxyProtocol)" }
        plan.append(line)
        guard let tls = cluster.tls else { return }
        var text = "  tls trusts "
        switch tls.trust {
        case .bundle(let certificates): text += "a bundle of \(certificates.utf8.count) octets"
        case .system: text += "the system"
        case .none: text += "anybody"
        }
        text += ", sends '\(tls.serverName)', expects '\(tls.hostname)' \(tls.subjectAltNames.map(\.value))"
        if let certificate = tls.clientCertificate { text += ", shows \(certificate.name)" }
        plan.append(text + ", \(tls.parameters)")
    }
}
