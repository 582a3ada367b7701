import Config
import Core

/// What decides, beside the weights, which backendRef of a rule a request goes to: as `explain` tells it.
enum ReleaseWords {
    struct Line {
        /// `persistence`, `split` or `rollout`.
        var title: String
        var text: String
        var position: SourcePosition
    }

    static func lines(_ rule: RulePlan) -> [Line] {
        var lines: [Line] = []
        if let plan = rule.traffic.sessionPersistence {
            lines.append(Line(title: "persistence", text: words(plan), position: plan.position))
        }
        if let plan = rule.traffic.splitKey {
            lines.append(Line(title: "split", text: words(plan), position: plan.position))
        }
        if let plan = rule.traffic.rollout {
            lines.append(Line(title: "rollout", text: words(plan, rule.backends), position: plan.position))
        }
        return lines
    }

    private static func words(_ plan: SessionPersistencePlan) -> String {
        var text =
            switch plan.carrier {
            case .cookie: "cookie '\(plan.name)' (path \(plan.path))"
            case .header: "header '\(plan.name)'"
            }
        text += " keeps the backend and the endpoint that served first"
        if plan.absoluteTimeout > 0 { text += ", for \(plan.absoluteTimeout) s" }
        if plan.idleTimeout > 0 { text += ", while it rests no longer than \(plan.idleTimeout) s" }
        return text
    }

    private static func words(_ plan: SplitKeyPlan) -> String {
        switch plan.source {
        case .header: "by header '\(plan.name)': equal values go to one backend"
        case .cookie: "by cookie '\(plan.name)', which is set where it is absent"
        case .clientAddress: "by the client's address"
        }
    }

    private static func words(_ plan: RolloutPlan, _ backends: [BackendPlan]) -> String {
        func percent(_ share: UInt32) -> String {
            share % 10 == 0 ? "\(share / 10)" : "\(share / 10).\(share % 10)"
        }
        let steps = plan.steps.map(percent).joined(separator: ", ")
        return
            "canary '\(backends[plan.canary].name)' by steps of \(steps) % beside '\(backends[plan.stable].name)', each "
            + "\(plan.interval.words) and \(plan.minRequests) requests at least; 'sluice status' tells where it is"
    }
}
