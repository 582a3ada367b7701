import Config
import Core
import IO
import Upstream

/// The probes of one endpoint in one way, one after the other, for as long as a published set asks for them.
final class EndpointCheck: Timed {
    let target: ProbeTarget
    /// The endpoint's place in the live state.
    let slot: UInt32
    private(set) var series: ProbeSeries
    /// Why the last probe failed; empty: it passed, or there was none.
    private(set) var problem = ""
    private unowned let watch: HealthWatch
    private let loop: EventLoop
    private var probe: Probe?

    /// - Parameter standing: what is known of the endpoint; pending: the first probe decides.
    init(_ target: ProbeTarget, slot: UInt32, standing: ProbeSeries.Standing, watch: HealthWatch) {
        self.target = target
        self.slot = slot
        self.watch = watch
        loop = watch.loop
        series = ProbeSeries(
            healthyThreshold: target.plan.healthyThreshold, unhealthyThreshold: target.plan.unhealthyThreshold,
            standing: standing)
        super.init()
    }

    /// The first probe comes within `initialJitter`; one after a predecessor's at any time within an interval, so that many
    /// endpoints are not all probed in one moment.
    func begin(random: UInt64) {
        let span = series.standing == .pending ? target.plan.initialJitter : target.plan.interval
        let wait = span > .zero ? Int64(random % UInt64(span.nanoseconds)) : 0
        loop.setDeadline(self, loop.now + .nanoseconds(wait))
    }

    func end() {
        loop.clearDeadline(self)
        guard let probe else { return }
        probe.abandon()
        self.probe = nil
        watch.probesNow -= 1
    }

    /// The time for the next probe, or the end of the one under way.
    override func deadlinePassed(now: Instant) {
        guard let probe else { return start() }
        guard let outcome = probe.outcome else { return }
        // Its connection may be in an event of its own no more: this is the timers' part of the turn.
        probe.abandon()
        self.probe = nil
        watch.probesNow -= 1
        loop.setDeadline(self, now + target.plan.interval)
        let wasFailing = series.standing == .failing || !problem.isEmpty
        problem = outcome.result == .passed ? "" : outcome.reason
        let change = series.take(outcome.result)
        watch.probed(self, outcome, isFirstFailure: !wasFailing && !problem.isEmpty, change: change)
    }

    private func start() {
        guard watch.probesNow < HealthWatch.probesAtOnce else {
            return loop.setDeadline(self, loop.now + HealthWatch.probePause)
        }
        watch.probesNow += 1
        let probe = Probe(target, check: self, tunnels: watch.tunnels, resources: watch.resources)
        self.probe = probe
        probe.begin()
    }
}
