import Config
import Core

/// BackendTrafficPolicy `retry`.
extension PolicyRetryPlan {
    /// - Parameter node: `spec.retry`; nil when it is not written.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        let on = node[Key.retryOn]
        var triggers: RetryTriggers = []
        for item in on[Key.triggers].items {
            for (name, trigger) in RetryTriggers.names where item.text.equals(name) { triggers.insert(trigger) }
        }
        if triggers.isEmpty { triggers = .standard }
        var codes: [UInt16] = []
        for item in on[Key.httpStatusCodes].items {
            if let code = item.integer.flatMap({ UInt16(exactly: $0) }) { codes.append(code) }
        }
        if codes.isEmpty { codes = [503] }
        let perPriority = node[Key.numAttemptsPerPriority]
        if perPriority.exists, perPriority.integer != 0 {
            reading.refuse(
                perPriority,
                "numAttemptsPerPriority is not supported by Sluice; retries prefer endpoints that were not tried")
        }
        let each = node[Key.perRetry]
        let retry = RetryPlan(
            triggers: triggers, codes: codes,
            attempts: Int(node[Key.numRetries].integer ?? Int64(RetryPlan.standardAttempts)),
            backOff: Self.backOff(each[Key.backOff], &reading))
        self.init(retry: retry, attemptTimeout: reading.limit(each[.timeout]))
    }

    private static func backOff(_ node: PolicyNode, _ reading: inout PolicyReading) -> RetryBackOff {
        let longest = reading.duration(node[Key.maxInterval])
        guard let base = reading.duration(node[Key.baseInterval]) else {
            return RetryBackOff(base: RetryBackOff.standardBase, longest: longest)
        }
        if base <= .zero {
            reading.refuse(node[Key.baseInterval], "must be longer than 0s")
        }
        if let longest, longest < base {
            reading.refuse(node[Key.maxInterval], "must not be shorter than baseInterval")
        }
        return RetryBackOff(base: base, longest: longest)
    }

    private enum Key {
        static let backOff = FieldKey("backOff")
        static let baseInterval = FieldKey("baseInterval")
        static let httpStatusCodes = FieldKey("httpStatusCodes")
        static let maxInterval = FieldKey("maxInterval")
        static let numAttemptsPerPriority = FieldKey("numAttemptsPerPriority")
        static let numRetries = FieldKey("numRetries")
        static let perRetry = FieldKey("perRetry")
        static let retryOn = FieldKey("retryOn")
        static let triggers = FieldKey("triggers")
    }
}

/// `sluice.dev/hedge` on a BackendTrafficPolicy.
extension HedgePlan {
    static let annotation = "sluice.dev/hedge"
    /// Longer delays are no hedge against anything.
    static let longestDelay = TimeAmount.seconds(60)

    /// - Parameter spec: of the policies, the nearest first; the nearest that has the annotation counts.
    init?(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        for layer in spec.layers {
            let annotations = reading.index.resources[layer.policy].node[.metadata][.annotations]
            for (name, value) in annotations.fields where name.string == Self.annotation {
                let text = value.string ?? ""
                guard let delay = GatewayDuration.parse(text), delay > .zero, delay <= Self.longestDelay else {
                    reading.refuse(
                        PolicyNode(value, policy: layer.policy),
                        "'\(text)' is no delay for a hedge; write a duration from 1ms to 60s, such as '200ms'")
                    return nil
                }
                self.init(delay: delay)
                return
            }
        }
        return nil
    }
}
