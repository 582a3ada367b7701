import Core
import Telemetry
import Upstream

extension AdminJSON {
    /// `GET /api/rollouts`.
    static func rollouts(_ controller: Controller) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        writeRollouts(controller, to: &json)
        json.endObject()
        return end(json)
    }

    static func writeRollouts(_ controller: Controller, to json: inout JSONWriter) {
        json.key("rollouts")
        json.beginArray()
        for rollout in controller.rollouts.watched { write(rollout, to: &json) }
        json.endArray()
    }

    private static func write(_ rollout: Rollouts.Watched, to json: inout JSONWriter) {
        let state = rollout.machine.state
        json.beginObject()
        json.field("route", "\(rollout.route)")
        json.field("rule", rollout.rule)
        json.field("phase", state.phase.word)
        json.field("step", Int(state.step) + 1)
        json.field("steps", rollout.machine.plan.steps.count)
        json.field("canaryPercent", Double(rollout.machine.canaryShare) / 10)
        json.field("why", rollout.why)
        json.field("since", Timestamp.string(state.phaseBegan))
        json.field("stepSince", Timestamp.string(state.stepBegan))
        let percentiles = rollout.percentiles
        side("canary", rollout.canaryName, state.canaryRequests, state.canaryFailures, percentiles.canary, &json)
        side("stable", rollout.stableName, state.stableRequests, state.stableFailures, percentiles.stable, &json)
        json.key("evidence")
        json.beginObject()
        // Odds of "worse" against "not worse", as logarithms: 0 is none, above the bound is a verdict.
        json.field("failures", state.failureRace.logOdds)
        json.field("latency", state.latencyRace.logOdds)
        json.endObject()
        json.endObject()
    }

    private static func side(
        _ key: StaticString, _ name: String, _ requests: UInt64, _ failures: UInt64, _ p99: Double?,
        _ json: inout JSONWriter
    ) {
        json.key(key)
        json.beginObject()
        json.field("backend", name)
        json.field("requests", requests)
        json.field("failures", failures)
        json.key("p99Ms")
        if let p99 { json.value(p99) } else { json.null() }
        json.endObject()
    }
}
