import Config
import Core
import Manifest
import Routing

/// Whether somebody serves what a rule takes, and what might have been meant where nobody does.
extension Explainer {
    /// With what becomes of the call when its turn has come: the exit status goes by it.
    func settled(_ begun: Explanation) -> Explanation {
        var explanation = begun
        if let refused = begun.refusedHandshake {
            // Nothing else happens to it.
            explanation.status = nil
            explanation.verdict = refused
        } else if explanation.isServed, let rule = explanation.rule {
            settle(rule, &explanation)
        }
        return explanation
    }

    private func settle(_ rule: Explanation.Rule, _ explanation: inout Explanation) {
        if !explanation.isOfConnection, let status = rule.ownAnswer {
            if status >= 400 { explanation.fail(status, "a filter of the rule answers so") }
            return
        }
        // What decides beside the weights may give any of them a share.
        let backends = rule.backends.filter { $0.weight > 0 || !rule.releases.isEmpty }
        guard !backends.isEmpty else {
            let why = rule.backends.isEmpty ? "the rule has no backend" : "no backend of the rule has a weight"
            return explanation.fail(500, why)
        }
        let failing = backends.filter { !$0.hasEndpoint }
        guard failing.count == backends.count else {
            let share = failing.reduce(0) { $0 + $1.share }
            guard share > 0 else { return }
            let isHelped = explanation.isHandedOn && failing.allSatisfy { $0.answer == nil }
            if isHelped { return }
            let percent = (share * 1000).rounded() / 10
            return explanation.notes.append("\(percent) % of such calls come to backends that cannot serve them")
        }
        if failing.contains(where: { $0.answer == nil }) {
            if explanation.isHandedOn { return }
            return explanation.fail(503, "no backend of the rule has an endpoint")
        }
        explanation.fail(failing.first?.answer, "no backend of the rule is valid; sluice check tells why")
    }

    // MARK: the way out

    /// Where it goes when none of its backends can be reached from here.
    /// - Parameters:
    ///   - isMarked: another gateway has handed it on already.
    ///   - suits: whether central gateways can take it; told whether they are the backend's own, or else the listener's.
    func addFallback(
        _ explanation: inout Explanation, mark isMarked: Bool = false,
        suits: (Explanation.CentralGateways, Bool) -> Bool = { _, _ in true }
    ) {
        guard let rule = explanation.rule else { return }
        var gateways: [String] = []
        for backend in rule.backends where backend.answer == nil {
            let isOwn = !backend.fallback.isEmpty
            let central = isOwn ? backend.fallback : explanation.listener?.fallback ?? Explanation.CentralGateways()
            guard suits(central, isOwn) else { continue }
            for address in central.addresses where !gateways.contains(address) { gateways.append(address) }
        }
        guard !gateways.isEmpty else { return }
        if isMarked {
            explanation.fallback = "none: x-sluice-hop says that another gateway has handed it on already"
        } else if explanation.member?.isOneEndpoint == true {
            explanation.fallback = "none: it is one endpoint that is called"
        } else {
            explanation.isHandedOn = true
            explanation.fallback =
                "\(gateways.joined(separator: ", ")), when no backend can be reached from here"
        }
    }

    // MARK: hosts that the caller names

    /// Why a backend whose host is the caller's to say does not go to this one; nil: it does, or there is no such backend.
    /// - Parameter host: with or without the brackets of an IPv6 address.
    func refusedTarget(of rule: Explanation.Rule?, _ host: String, _ port: UInt16) -> String? {
        guard rule?.ownAnswer == nil, let allowsLocal = rule?.backends.compactMap(\.allowsLocalTargets).first else {
            return nil
        }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host.lowercased()
        let isLocalName = bare == "localhost" || bare.hasSuffix(".localhost")
        guard let address = IPAddress(bare) ?? (isLocalName ? IPAddress(v4: 127, 0, 0, 1) : nil) else { return nil }
        if address.isLocalTarget, !allowsLocal {
            return "an address of this machine or its links (sluice.dev/allow-local-targets)"
        }
        let isOwn = plan.sockets.contains {
            $0.address.port == port && ($0.address.ip == address || $0.address.ip.isAny && address.isLoopback)
        }
        return isOwn ? "an address of this gateway itself" : nil
    }

    /// A name that is nearly one of a service.
    func noteNearest(_ host: String, _ explanation: inout Explanation) {
        let labels = host.split(separator: ".").map(String.init)
        guard !labels.isEmpty, IPAddress(host) == nil else { return }
        let isQualified = labels.count > 1
        guard labels.count < 3 || labels[2] == "svc" else { return }
        let names = plan.groups.flatMap { group in
            group.members.map { isQualified ? "\($0.name).\($0.namespace)" : $0.name }
        }
        let written = labels.prefix(2).joined(separator: ".")
        guard let near = NearestName.of(written, among: names), near != written else { return }
        explanation.notes.append("no service is called '\(written)'; did you mean '\(near)'?")
    }
}
