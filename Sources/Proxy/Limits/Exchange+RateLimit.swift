import Config
import Connection
import Core
import HTTP
import Routing
import Upstream

/// The stage of rate limits (BackendTrafficPolicy `rateLimit`): local ones first, then global ones, which count here or in a
/// counter that several gateways share.
extension Exchange {
    func passRateLimit(_ traffic: UnsafePointer<RouteTrafficConfig>) -> Admission {
        guard !traffic.pointee.rateLimit.isEmpty else { return .passed }
        let config = snapshot[traffic.pointee.rateLimit, 0]
        if !config.pointee.local.isEmpty, !passLocal(config.pointee.local) { return limited() }
        if !config.pointee.global.isEmpty {
            if config.pointee.chargesResponses {
                limits.chargesResponse = true
                limits.isOpen = true
            }
            switch ask(config.pointee.global) {
            case .asked: return .waiting
            case .unaskable: worker.statistics.increment(.rateLimitFallbacks)
            case .needless: break
            }
            if !passGlobal(config.pointee.global) { return limited() }
        }
        limits.told.write(to: &addedResponseFields)
        return .passed
    }

    /// 429, with what the client may know of the limit.
    private func limited() -> Admission {
        limits.told.write(to: &addedResponseFields)
        addedResponseFields.append("x-envoy-ratelimited: true\r\n")
        answer(429, .rateLimited, "too many requests: a rate limit of this route is used up")
        return .answered
    }

    // MARK: counted here

    /// Asks the rules, the strictest first; one without selectors only where no other holds. One that refuses ends it.
    private func passLocal(_ rules: Table<RateLimitRuleConfig>) -> Bool {
        var standard: UnsafePointer<RateLimitRuleConfig>?
        var isSelected = false
        for index in 0..<Int(rules.count) {
            let rule = snapshot[rules, index]
            if rule.pointee.selectors.isEmpty {
                standard = rule
                continue
            }
            guard selects(rule) else { continue }
            isSelected = true
            if !take(rule, isGlobal: false) { return false }
        }
        if let standard, !isSelected { return take(standard, isGlobal: false) }
        return true
    }

    /// Every rule that holds counts the request, also behind one that refuses it.
    private func passGlobal(_ rules: Table<RateLimitRuleConfig>) -> Bool {
        var passes = true
        for index in 0..<Int(rules.count) {
            let rule = snapshot[rules, index]
            if selects(rule), !take(rule, isGlobal: true) { passes = false }
        }
        return passes
    }

    /// Whether the rule holds for this request; then `limits.values` has the values of its bucket.
    private func selects(_ rule: UnsafePointer<RateLimitRuleConfig>) -> Bool {
        limits.values.clear()
        if rule.pointee.selectors.isEmpty { return true }
        guard let downstream, let message = downstream.request, let configuration else { return false }
        let bytes = downstream.headBytes
        if limits.caller.isEmpty { writeLimitedCaller(downstream.origin, configuration, to: &limits.caller) }
        let request = LimitedRequest(
            bytes: bytes, path: path(message, bytes), query: query(message, bytes) ?? .empty,
            client: clientAddress.ip, caller: limits.caller.view)
        return configuration.routes.selects(rule, message.head, request, values: &limits.values)
    }

    /// Who calls, as limits tell callers apart: the SPIFFE id of a certificate, the Service whose endpoint it is
    /// (`namespace/name`), or the address.
    private func writeLimitedCaller(
        _ origin: ConnectionOrigin, _ configuration: LiveConfiguration, to text: inout ByteBuffer
    ) {
        if let caller = origin.caller, caller.isVerified {
            caller.principal.withView { text.append($0) }
        } else if let workload = configuration.routes.workload(at: origin.peer.ip) {
            text.append(configuration.snapshot.text(workload.pointee.namespace))
            text.append(byte: ASCII.slash)
            text.append(configuration.snapshot.text(workload.pointee.service))
        } else {
            origin.peer.ip.write(to: &text)
        }
    }

    private func bucket(_ rule: UnsafePointer<RateLimitRuleConfig>) -> LimitState.Bucket {
        let state = worker.liveState.limits
        let identity = rule.pointee.identity
        return rule.pointee.isDistinct ? state.bucket(identity, of: limits.values.view) : state.bucket(identity)
    }

    private func take(_ rule: UnsafePointer<RateLimitRuleConfig>, isGlobal: Bool) -> Bool {
        let verdict = worker.liveState.limits.take(
            rule.pointee.requestCost, from: bucket(rule), limit: rule.pointee.requests, unit: rule.pointee.unit,
            now: worker.loop.now)
        return passes(rule, verdict, isGlobal: isGlobal)
    }

    /// Notes a verdict. False: it refuses the request.
    private func passes(
        _ rule: UnsafePointer<RateLimitRuleConfig>, _ verdict: RateWindow.Verdict, isGlobal: Bool
    ) -> Bool {
        let outcome: LimitState.Outcome =
            verdict.isAllowed ? .allowed : rule.pointee.isShadow ? .shadowed : .limited
        worker.liveState.limits.count(outcome, rule.pointee.identity, now: worker.loop.now)
        if tells(rule) {
            limits.told.note(
                limit: rule.pointee.requests, remaining: verdict.remaining, reset: verdict.reset,
                window: rule.pointee.unit, isGlobal: isGlobal)
        }
        return outcome != .limited
    }

    /// Whether the client is told of the limit.
    private func tells(_ rule: UnsafePointer<RateLimitRuleConfig>) -> Bool {
        switch rule.pointee.fields {
        case .off: false
        case .draft03: true
        case .asListener: client?.pointee.request.disablesRateLimitHeaders != true
        }
    }

    // MARK: counted elsewhere

    private enum Asking { case asked, needless, unaskable }

    /// Asks for every rule that holds.
    private func ask(_ rules: Table<RateLimitRuleConfig>) -> Asking {
        guard let counters = worker.globalCounters else { return .needless }
        guard counters.isReachable else { return .unaskable }
        limits.unanswered = 0
        limits.isRefusedElsewhere = false
        limits.ticket = counters.newTicket()
        for index in 0..<Int(rules.count) {
            let rule = snapshot[rules, index]
            guard selects(rule) else { continue }
            let question = GlobalCounters.Question(
                key: snapshot.text(rule.pointee.key), values: limits.values.view, cost: rule.pointee.requestCost,
                unit: rule.pointee.unit)
            guard counters.ask(question, of: index, for: self, ticket: limits.ticket) else {
                counters.forget(self)
                limits.unanswered = 0
                return .unaskable
            }
            limits.unanswered += 1
        }
        return limits.unanswered > 0 ? .asked : .needless
    }

    /// A counter elsewhere has answered: so much is used of the window, this request included.
    func counted(_ used: UInt64, ofRule index: Int, ticket: UInt64, reset: TimeAmount) {
        guard phase == .admitting, limits.ticket == ticket, limits.unanswered > 0, let rules = globalRules else {
            return
        }
        let rule = snapshot[rules, index]
        let limit = UInt64(rule.pointee.requests)
        let isAllowed = rule.pointee.requestCost == 0 ? used < limit : used <= limit
        let verdict = RateWindow.Verdict(
            isAllowed: isAllowed, remaining: UInt32(clamping: limit - min(limit, used)), reset: reset)
        if !passes(rule, verdict, isGlobal: true) { limits.isRefusedElsewhere = true }
        limits.unanswered -= 1
        if limits.unanswered > 0 { return }
        if limits.isRefusedElsewhere {
            _ = limited()
        } else {
            limits.told.write(to: &addedResponseFields)
            admit()
        }
    }

    /// The counter elsewhere has not answered in time: this gateway's own count decides.
    func countHere(ticket: UInt64) {
        guard phase == .admitting, limits.ticket == ticket, limits.unanswered > 0, let rules = globalRules else {
            return
        }
        limits.unanswered = 0
        worker.statistics.increment(.rateLimitFallbacks)
        if passGlobal(rules) {
            limits.told.write(to: &addedResponseFields)
            admit()
        } else {
            _ = limited()
        }
    }

    private var globalRules: Table<RateLimitRuleConfig>? {
        guard let rule, !rule.pointee.traffic.isEmpty else { return nil }
        let traffic = snapshot[rule.pointee.traffic, 0]
        guard !traffic.pointee.rateLimit.isEmpty else { return nil }
        return snapshot[traffic.pointee.rateLimit, 0].pointee.global
    }

    /// `cost.response`: counted when the response is over. A request that was refused has cost nothing.
    func chargeResponse() {
        guard reason != .rateLimited, let rules = globalRules else { return }
        for index in 0..<Int(rules.count) {
            let rule = snapshot[rules, index]
            guard rule.pointee.responseCost > 0, selects(rule) else { continue }
            if let counters = worker.globalCounters, counters.isReachable {
                let question = GlobalCounters.Question(
                    key: snapshot.text(rule.pointee.key), values: limits.values.view, cost: rule.pointee.responseCost,
                    unit: rule.pointee.unit)
                if counters.ask(question, of: index, for: nil) { continue }
            }
            worker.liveState.limits.charge(
                rule.pointee.responseCost, to: bucket(rule), unit: rule.pointee.unit, now: worker.loop.now)
        }
    }
}
