import Core

/// For people.
extension Explanation {
    var text: String {
        var lines = [title]
        lines += notes.map { "note: \($0)" }
        lines.append("")
        if let address { row("address", address, nil, &lines) }
        if let listener {
            let host = listener.hostname.isEmpty ? "every host" : listener.hostname
            row("listener", "\(listener.gateway) '\(listener.name)' (\(host))", listener.place, &lines)
        }
        if let member {
            row("service", "\(member.name), port \(member.port) (\(member.spoken))", member.place, &lines)
            row("routes", member.routes, nil, &lines)
            row("share", member.share, nil, &lines)
        }
        if let spoken { row("spoken", spoken, nil, &lines) }
        if let caller { row("caller", caller, nil, &lines) }
        if let access { describe(access, &lines) }
        if let egress { row("egress", egress, nil, &lines) }
        if let rule { describe(rule, &lines) }
        if let outlet { row("goes to", outlet, nil, &lines) }
        if !isServed {
            row("answer", (status.map { "\($0): " } ?? "") + verdict, nil, &lines)
        }
        if let fallback { row("fallback", fallback, nil, &lines) }
        rows("carries", carried, &lines)
        for (number, policy) in policies.enumerated() {
            row(number == 0 ? "policies" : "", policy.words, policy.place, &lines)
            for obstacle in policy.obstacles { row("", "  \(obstacle.text)", obstacle.place, &lines) }
        }
        listCandidates(&lines)
        return lines.joined(separator: "\n")
    }

    private var title: String {
        switch subject {
        case .request(let method, let url): "\(method) \(url)"
        case .connection(let target, let serverName?, _): "connection to \(target), TLS for '\(serverName)'"
        case .connection(let target, nil, let isOctets): "connection to \(target)" + (isOctets ? ", octets" : "")
        }
    }

    private func row(_ title: String, _ text: String, _ place: Place?, _ lines: inout [String]) {
        let padding = String(repeating: " ", count: max(1, 11 - title.count))
        lines.append(title + padding + text + (place.map { "  [\($0.text)]" } ?? ""))
    }

    /// The title stands before the first alone.
    private func rows(_ title: String, _ texts: [String], _ lines: inout [String]) {
        for (number, text) in texts.enumerated() { row(number == 0 ? title : "", text, nil, &lines) }
    }

    private func describe(_ access: Access, _ lines: inout [String]) {
        row("access", access.words, nil, &lines)
        if let dryRun = access.dryRun { row("dry run", dryRun, nil, &lines) }
        rows("audit", access.audits.map { "by AuthorizationPolicy \($0)" }, &lines)
        rows("not given", access.missing, &lines)
    }

    private func describe(_ rule: Rule, _ lines: inout [String]) {
        row("route", "\(rule.route.kind) \(rule.route.name)", rule.route.place, &lines)
        let winner = candidates.first { $0.verdict == .won }
        let name = rule.name.isEmpty ? "" : " '\(rule.name)'"
        row("rule", "\(rule.index)\(name)" + (winner.map { ": \($0.words)" } ?? ""), rule.place, &lines)
        if rule.backends.isEmpty {
            row("backends", "none", nil, &lines)
        }
        for (number, backend) in rule.backends.enumerated() {
            let percent = "\((backend.share * 1000).rounded() / 10) %"
            row(
                number == 0 ? "backends" : "", "\(percent)  \(backend.name) → \(target(of: backend))", backend.place,
                &lines)
            for filter in backend.filters { row("", "  \(filter)", nil, &lines) }
            if let balancing = backend.balancing { row("", "  \(balancing)", nil, &lines) }
            if let tunnel = backend.tunnel { row("", "  \(tunnel)", nil, &lines) }
        }
        for release in rule.releases { row(release.title, release.text, release.place, &lines) }
        if !isOfConnection {
            var times: [String] = []
            if let time = rule.requestTimeout { times.append("request \(time.words)") }
            if let time = rule.backendRequestTimeout { times.append("each attempt \(time.words)") }
            row("timeouts", times.isEmpty ? "none but the defaults" : times.joined(separator: ", "), nil, &lines)
        }
        if let retry = rule.retry {
            let codes = retry.codes.map { "\($0)" }.joined(separator: ", ")
            row("retry", "up to \(retry.attempts) times" + (codes.isEmpty ? "" : ", on \(codes)"), nil, &lines)
        }
        rows("filters", rule.filters, &lines)
    }

    private func target(of backend: Backend) -> String {
        // Below HTTP there is nobody to be answered.
        if let answer = backend.answer { return isOfConnection ? "not valid: reset" : "not valid: answered \(answer)" }
        if let dnsName = backend.dnsName { return "whatever DNS has for \(dnsName)" }
        if !backend.endpoints.isEmpty { return backend.endpoints.joined(separator: ", ") }
        return isOfConnection ? "no endpoint: reset" : "no endpoint: answered 503"
    }

    private func listCandidates(_ lines: inout [String]) {
        let nearer: [Candidate]
        if let winner = candidates.firstIndex(where: { $0.verdict == .won }) {
            nearer = Array(candidates[..<winner])
        } else {
            nearer = candidates
        }
        guard !nearer.isEmpty else { return }
        lines.append("")
        lines.append(isRouted ? "nearer candidates, and what they lost by" : "candidates, and what they lost by")
        for candidate in nearer {
            let host = candidate.hostname.isEmpty ? "" : " (\(candidate.hostname))"
            lines.append(
                "  \(candidate.predicate ?? candidate.verdict.rawValue): \(candidate.route.name) rule \(candidate.rule)\(host), "
                    + "\(candidate.words)  [\(candidate.place.text)]")
        }
        if omittedNearer > 0 { lines.append("  and \(omittedNearer) more that were further from serving it") }
    }
}

extension Explanation.Policy {
    fileprivate var words: String {
        switch role {
        case "base": "\(kind) \(name), which the one above is merged into"
        case "refused": "\(kind) \(name), which cannot be used: \(problem)"
        default:
            "\(kind) \(name)" + (action.isEmpty ? "" : ": \(action)") + (outcome.isEmpty ? "" : ", \(outcome)")
        }
    }
}
