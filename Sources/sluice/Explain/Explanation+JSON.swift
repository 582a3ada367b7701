import Core

/// For programs.
extension Explanation {
    var json: ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        writeSubject(&json)
        json.field("served", isServed)
        json.key("status")
        if let status { json.value(Int(status)) } else { json.null() }
        json.field("reason", verdict)
        write("notes", notes, &json)
        write("address", address, &json)
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
            json.field("share", member.share)
            write(member.place, &json)
            json.endObject()
        } else {
            json.null()
        }
        write("spoken", spoken, &json)
        write("caller", caller, &json)
        write(access, &json)
        write("egress", egress, &json)
        write(rule, &json)
        write("target", outlet, &json)
        write("fallback", fallback, &json)
        write("carried", carried, &json)
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

    private func writeSubject(_ json: inout JSONWriter) {
        switch subject {
        case .request(let method, let url):
            json.key("request")
            json.beginObject()
            json.field("method", method)
            json.field("url", url)
            json.field("host", host)
            json.field("path", path)
        case .connection(let target, let serverName, let isOctets):
            json.key("connection")
            json.beginObject()
            json.field("target", target)
            write("serverName", serverName, &json)
            json.field("octets", isOctets)
        }
        json.endObject()
    }

    private func write(_ key: StaticString, _ values: [String], _ json: inout JSONWriter) {
        json.key(key)
        json.beginArray()
        for value in values { json.value(value) }
        json.endArray()
    }

    private func write(_ key: StaticString, _ value: String?, _ json: inout JSONWriter) {
        json.key(key)
        if let value { json.value(value) } else { json.null() }
    }

    private func write(_ place: Place, _ json: inout JSONWriter) {
        json.field("file", place.file)
        json.field("line", place.line)
        json.field("column", place.column)
    }

    private func write(_ access: Access?, _ json: inout JSONWriter) {
        json.key("access")
        guard let access else { return json.null() }
        json.beginObject()
        json.field("allowed", access.isAllowed)
        json.field("reason", access.words)
        write("policy", access.policy, &json)
        write("dryRun", access.dryRun, &json)
        write("audits", access.audits, &json)
        write("notGiven", access.missing, &json)
        json.endObject()
    }

    private func write(_ policy: Policy, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("kind", policy.kind)
        json.field("name", policy.name)
        json.field("role", policy.role)
        json.field("problem", policy.problem)
        if !policy.action.isEmpty { json.field("action", policy.action) }
        if !policy.outcome.isEmpty {
            json.field("outcome", policy.outcome)
            write("obstacles", policy.obstacles.map(\.text), &json)
        }
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
        write("filters", rule.filters, &json)
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
        for backend in rule.backends { write(backend, &json) }
        json.endArray()
        json.endObject()
    }

    private func write(_ backend: Backend, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("name", backend.name)
        json.field("weight", Int(backend.weight))
        json.field("share", backend.share)
        write("endpoints", backend.endpoints, &json)
        write("dnsName", backend.dnsName, &json)
        json.key("answer")
        if let answer = backend.answer { json.value(Int(answer)) } else { json.null() }
        write("filters", backend.filters, &json)
        write("balancing", backend.balancing, &json)
        write("tunnel", backend.tunnel, &json)
        write(backend.place, &json)
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
        write("predicate", candidate.predicate, &json)
        write(candidate.place, &json)
        json.endObject()
    }
}
