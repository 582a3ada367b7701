import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry

/// BackendTrafficPolicy `responseOverride`: responses of backends, and our own, that become others. The first entry that
/// matches wins; what it makes is not overridden again.
extension Exchange {
    private var overrides: Table<ResponseOverrideConfig> {
        guard let rule, !rule.pointee.traffic.isEmpty, !isOverridden else { return Table() }
        return snapshot[rule.pointee.traffic, 0].pointee.responseOverride
    }

    /// Our own answer, before anything of it is written. True: another was given.
    /// - Parameter fields: the answer's lines, each with its CRLF.
    func overridesAnswer(_ status: UInt16, _ reason: ReasonCode, _ fields: ByteView) -> Bool {
        let overrides = overrides
        if overrides.isEmpty { return false }
        for index in 0..<Int(overrides.count) {
            let entry = snapshot[overrides, index]
            guard entry.pointee.source != .backend, hasStatus(status, entry.pointee.statusCodes) else { continue }
            let isMeant = all(entry.pointee.responseHeaders) { Self.value(of: $0, in: fields) }
            guard isMeant else { continue }
            answer(entry, status, reason)
            return true
        }
        return false
    }

    /// The backend's response, of which the head is there. True: it has been left, and another was given.
    func overridesResponse(_ response: ResponseMessage) -> Bool {
        let overrides = overrides
        if overrides.isEmpty { return false }
        guard let upstream else { return false }
        let bytes = upstream.headBytes
        for index in 0..<Int(overrides.count) {
            let entry = snapshot[overrides, index]
            guard entry.pointee.source != .local, hasStatus(response.head.status, entry.pointee.statusCodes) else {
                continue
            }
            let isMeant = all(entry.pointee.responseHeaders) { name in
                response.head.fields.firstIndex(named: name, in: bytes).map {
                    response.head.fields[$0].value(in: bytes)
                }
            }
            guard isMeant else { continue }
            let status = response.head.status
            headAt = worker.loop.now
            leave(response, on: upstream)
            answer(entry, status, .none)
            return true
        }
        return false
    }

    private func answer(
        _ entry: UnsafePointer<ResponseOverrideConfig>, _ status: UInt16, _ reason: ReasonCode
    ) {
        isOverridden = true
        worker.statistics.increment(.responsesOverridden)
        if !entry.pointee.response.isEmpty {
            return answer(snapshot[entry.pointee.response, 0], status: status, reason)
        }
        guard let downstream, let message = downstream.request else {
            preconditionFailure("an override of an answer to no request")
        }
        redirect(snapshot[entry.pointee.redirect, 0].pointee, message, downstream.headBytes, reason)
    }

    private func hasStatus(_ status: UInt16, _ ranges: Table<ResponseOverridePlan.StatusRange>) -> Bool {
        if ranges.isEmpty { return true }
        for index in 0..<Int(ranges.count) {
            let range = snapshot[ranges, index].pointee
            if range.first <= status, status <= range.last { return true }
        }
        return false
    }

    /// Whether every one of them holds. A field that is not there matches nothing; of several lines the first counts.
    private func all(_ matches: Table<ResponseHeaderMatchConfig>, _ value: (ByteView) -> ByteView?) -> Bool {
        for index in 0..<Int(matches.count) {
            let match = snapshot[matches, index]
            guard let found = value(snapshot.text(match.pointee.name)) else { return false }
            let wanted = snapshot.text(match.pointee.value)
            let holds =
                switch match.pointee.kind {
                case .exact: found.equals(wanted)
                case .prefix: found.hasPrefix(wanted)
                case .suffix: found.hasSuffix(wanted)
                case .regularExpression: configuration?.routes.pattern(match.pointee.pattern).matches(found) == true
                }
            if !holds { return false }
        }
        return true
    }

    /// The value of the first of these lines with that name.
    private static func value(of name: ByteView, in lines: ByteView) -> ByteView? {
        var at = 0
        while at < lines.count {
            let end = lines.firstIndex(of: ASCII.lf, from: at) ?? lines.count
            let line = lines[at..<max(at, end - 1)]
            at = end + 1
            guard let colon = line.firstIndex(of: ASCII.colon), line.upTo(colon).equalsIgnoringCase(name) else {
                continue
            }
            return line.from(colon + 1).trimmed
        }
        return nil
    }

    /// Ends the attempt without its body. What of it has come is passed over; if that was all, the connection is kept, else
    /// it is closed: nobody waits for a body that nobody wants.
    private func leave(_ response: ResponseMessage, on upstream: ClientStream) {
        let keeps = response.head.persistence == .keepAlive && requestSent
        let status = response.head.status
        upstream.dropHead()
        drain: while true {
            switch upstream.incoming.next(&upstream.input) {
            case .data(let run):
                let count = run.count
                upstream.incoming.consume(count, from: &upstream.input)
                upstream.contentTaken(count)
            case .complete:
                upstream.dropTrailers()
                break drain
            case .needMore, .refused:
                dropUpstream()
                return endAttempt(.response(status: status))
            }
        }
        endAttempt(.response(status: status))
        upstream.release(keeps: keeps)
        self.upstream = nil
    }
}
