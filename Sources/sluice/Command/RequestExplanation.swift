import Config
import Core

/// What `explain` found, in plain values: one for both forms of output.
struct RequestExplanation {
    struct Place {
        var file: String
        var line: Int
        var column: Int
        var text: String { line == 0 ? file : "\(file):\(line):\(column)" }
    }

    /// A policy that is in force.
    struct Policy {
        var kind: String
        var name: String
        /// "effective", "base" (the effective one is merged into it) or "refused".
        var role: String
        /// Why it is refused; else empty.
        var problem: String
        var place: Place
        /// What it does, where its kind does not say that: ALLOW, DENY …
        var action = ""
    }

    struct Listener {
        var gateway: String
        var name: String
        /// Empty: every host.
        var hostname: String
        var place: Place
        var policies: [Policy] = []
    }

    /// The service of a group that is called.
    struct Member {
        /// `namespace/name`.
        var name: String
        var port: Int
        /// What is spoken there.
        var spoken: String
        /// Whose routes serve, and why.
        var routes: String
        var place: Place
    }

    struct Route {
        var kind: String
        var name: String
        var place: Place
    }

    struct Backend {
        var name: String
        var weight: UInt32
        var share: Double
        var endpoints: [String]
        var dnsName: String?
        /// The reference is invalid, and its share is answered so.
        var answer: UInt16?
        var filters: [String]
        /// How its endpoints are chosen, and how much is used at once; nil: as without a policy.
        var balancing: String?
        var place: Place
    }

    struct Rule {
        var route: Route
        var index: Int
        var name: String
        var place: Place
        var filters: [String] = []
        /// What decides, beside the weights, which backend serves.
        var releases: [(title: String, text: String, place: Place)] = []
        var requestTimeout: TimeAmount?
        var backendRequestTimeout: TimeAmount?
        var retry: RetryPlan?
        var policies: [Policy] = []
        var backends: [Backend] = []

        init(route: Route, index: Int, name: String, place: Place) {
            self.route = route
            self.index = index
            self.name = name
            self.place = place
        }
    }

    struct Candidate {
        enum Verdict: String { case won, outranked, lost }
        var route: Route
        var rule: Int
        var match: Int
        /// The match in words.
        var words: String
        var hostname: String
        var listener: String
        var verdict: Verdict
        /// The first predicate that the request does not meet.
        var predicate: String?
        var place: Place
    }

    var method: String
    var url: String
    var host = ""
    /// As matched.
    var path = ""
    var address: String?
    var listener: Listener?
    var member: Member?
    /// Those that say who may call.
    var authorization: [Policy] = []
    var rule: Rule?
    /// What the gateway answers by itself; nil: a rule decides, or nothing listens.
    var status: UInt16?
    /// Why no rule serves; empty when one does.
    var verdict = ""
    var notes: [String] = []
    /// The nearest, in order of precedence.
    var candidates: [Candidate] = []
    /// How many more there are, and how many of them stand before the winner (all when there is none).
    var omitted = 0
    var omittedNearer = 0

    init(method: String, url: String) {
        self.method = method
        self.url = url
    }

    var isServed: Bool { rule != nil }

    func refused(_ status: UInt16, _ reason: String) -> RequestExplanation {
        var copy = self
        copy.status = status
        copy.verdict = reason
        return copy
    }
}

// MARK: for people

extension RequestExplanation {
    var text: String {
        var lines = ["\(method) \(url)"]
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
        }
        if let rule {
            describe(rule, &lines)
        } else {
            row("answer", (status.map { "\($0): " } ?? "") + verdict, nil, &lines)
        }
        for (number, policy) in policies.enumerated() {
            row(number == 0 ? "policies" : "", policy.words, policy.place, &lines)
        }
        listCandidates(&lines)
        return lines.joined(separator: "\n")
    }

    /// Of the listener, of who may call, and of the rule.
    var policies: [Policy] { (listener?.policies ?? []) + authorization + (rule?.policies ?? []) }

    private func row(_ title: String, _ text: String, _ place: Place?, _ lines: inout [String]) {
        let padding = String(repeating: " ", count: max(1, 11 - title.count))
        lines.append(title + padding + text + (place.map { "  [\($0.text)]" } ?? ""))
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
            let target: String
            if let answer = backend.answer {
                target = "not valid: answered \(answer)"
            } else if let dnsName = backend.dnsName {
                target = "whatever DNS has for \(dnsName)"
            } else {
                target =
                    backend.endpoints.isEmpty ? "no endpoint: answered 503" : backend.endpoints.joined(separator: ", ")
            }
            row(number == 0 ? "backends" : "", "\(percent)  \(backend.name) → \(target)", backend.place, &lines)
            for filter in backend.filters { row("", "  \(filter)", nil, &lines) }
            if let balancing = backend.balancing { row("", "  \(balancing)", nil, &lines) }
        }
        for release in rule.releases { row(release.title, release.text, release.place, &lines) }
        var times: [String] = []
        if let time = rule.requestTimeout { times.append("request \(time.words)") }
        if let time = rule.backendRequestTimeout { times.append("each attempt \(time.words)") }
        row("timeouts", times.isEmpty ? "none but the defaults" : times.joined(separator: ", "), nil, &lines)
        if let retry = rule.retry {
            let codes = retry.codes.map { "\($0)" }.joined(separator: ", ")
            row("retry", "up to \(retry.attempts) times" + (codes.isEmpty ? "" : ", on \(codes)"), nil, &lines)
        }
        for (number, filter) in rule.filters.enumerated() { row(number == 0 ? "filters" : "", filter, nil, &lines) }
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
        lines.append(isServed ? "nearer candidates, and what they lost by" : "candidates, and what they lost by")
        for candidate in nearer {
            let host = candidate.hostname.isEmpty ? "" : " (\(candidate.hostname))"
            lines.append(
                "  \(candidate.predicate ?? candidate.verdict.rawValue): \(candidate.route.name) rule \(candidate.rule)\(host), "
                    + "\(candidate.words)  [\(candidate.place.text)]")
        }
        if omittedNearer > 0 { lines.append("  and \(omittedNearer) more that were further from serving it") }
    }
}

extension RequestExplanation.Policy {
    fileprivate var words: String {
        switch role {
        case "base": "\(kind) \(name), which the one above is merged into"
        case "refused": "\(kind) \(name), which cannot be used: \(problem)"
        default: "\(kind) \(name)" + (action.isEmpty ? "" : ": \(action)")
        }
    }
}

// MARK: for programs

extension RequestExplanation {
    var json: ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.key("request")
        json.beginObject()
        json.field("method", method)
        json.field("url", url)
        json.field("host", host)
        json.field("path", path)
        json.endObject()
        json.field("served", isServed)
        json.key("status")
        if let status { json.value(Int(status)) } else { json.null() }
        json.field("reason", verdict)
        strings("notes", notes, &json)
        json.key("address")
        if let address { json.value(address) } else { json.null() }
        json.key("listener")
        if let listener {
            json.beginObject()
            json.field("gateway", listener.gateway)
            json.field("name", listener.name)
            json.field("hostname", listener.hostname)
            write(listener.place, &json)
            json.endObject()
        } else {
            json.null()
        }
        json.key("service")
        if let member {
            json.beginObject()
            json.field("name", member.name)
            json.field("port", member.port)
            json.field("protocol", member.spoken)
            json.field("routes", member.routes)
            write(member.place, &json)
            json.endObject()
        } else {
            json.null()
        }
        write(rule, &json)
        json.key("policies")
        json.beginArray()
        for policy in policies { write(policy, &json) }
        json.endArray()
        json.key("candidates")
        json.beginArray()
        for candidate in candidates { write(candidate, &json) }
        json.endArray()
        json.field("omitted", omitted)
        json.field("omittedNearer", omittedNearer)
        json.endObject()
        var buffer = json.finish()
        buffer.append(byte: ASCII.lf)
        return buffer
    }

    private func strings(_ key: StaticString, _ values: [String], _ json: inout JSONWriter) {
        json.key(key)
        json.beginArray()
        for value in values { json.value(value) }
        json.endArray()
    }

    private func write(_ place: Place, _ json: inout JSONWriter) {
        json.field("file", place.file)
        json.field("line", place.line)
        json.field("column", place.column)
    }

    private func write(_ policy: Policy, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("kind", policy.kind)
        json.field("name", policy.name)
        json.field("role", policy.role)
        json.field("problem", policy.problem)
        write(policy.place, &json)
        json.endObject()
    }

    private func write(_ route: Route, _ json: inout JSONWriter) {
        json.key("route")
        json.beginObject()
        json.field("kind", route.kind)
        json.field("name", route.name)
        write(route.place, &json)
        json.endObject()
    }

    private func write(_ rule: Rule?, _ json: inout JSONWriter) {
        guard let rule else {
            json.key("route")
            json.null()
            json.key("rule")
            json.null()
            return
        }
        write(rule.route, &json)
        json.key("rule")
        json.beginObject()
        json.field("index", rule.index)
        json.field("name", rule.name)
        write(rule.place, &json)
        strings("filters", rule.filters, &json)
        json.key("requestTimeoutMs")
        if let time = rule.requestTimeout { json.value(time.milliseconds) } else { json.null() }
        json.key("backendRequestTimeoutMs")
        if let time = rule.backendRequestTimeout { json.value(time.milliseconds) } else { json.null() }
        json.field("retries", rule.retry?.attempts ?? 0)
        for release in rule.releases {
            json.key(release.title)
            json.beginObject()
            json.field("text", release.text)
            write(release.place, &json)
            json.endObject()
        }
        json.key("backends")
        json.beginArray()
        for backend in rule.backends {
            json.beginObject()
            json.field("name", backend.name)
            json.field("weight", Int(backend.weight))
            json.field("share", backend.share)
            strings("endpoints", backend.endpoints, &json)
            json.key("dnsName")
            if let name = backend.dnsName { json.value(name) } else { json.null() }
            json.key("answer")
            if let answer = backend.answer { json.value(Int(answer)) } else { json.null() }
            strings("filters", backend.filters, &json)
            json.key("balancing")
            if let balancing = backend.balancing { json.value(balancing) } else { json.null() }
            write(backend.place, &json)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    private func write(_ candidate: Candidate, _ json: inout JSONWriter) {
        json.beginObject()
        write(candidate.route, &json)
        json.field("rule", candidate.rule)
        json.field("match", candidate.match)
        json.field("words", candidate.words)
        json.field("hostname", candidate.hostname)
        json.field("listener", candidate.listener)
        json.field("verdict", candidate.verdict.rawValue)
        json.key("predicate")
        if let predicate = candidate.predicate { json.value(predicate) } else { json.null() }
        write(candidate.place, &json)
        json.endObject()
    }
}
