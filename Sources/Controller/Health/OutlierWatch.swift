import Config
import Core
import IO
import Telemetry
import Upstream

/// Judges the windows of one cluster's endpoints, once an interval: what consecutive failures, which workers see themselves,
/// do not tell. Owned by the ``HealthWatch``.
final class OutlierWatch: Timed {
    private var plan: PassiveCheckPlan
    private(set) var slots: [UInt32]
    private unowned let watch: HealthWatch
    private var windows = OutlierWindows()
    /// Ejections of each endpoint at the last look: one that has none since then is forgiven a little.
    private var seen: [UInt32: UInt32] = [:]

    init(_ plan: PassiveCheckPlan, _ endpoints: [EndpointConfig], watch: HealthWatch) {
        self.plan = plan
        self.watch = watch
        slots = endpoints.map(\.slot)
        super.init()
        watch.loop.setDeadline(self, watch.loop.now + plan.interval)
        // The windows begin now.
        _ = windows.judge(counts, plan)
    }

    func adopt(_ plan: PassiveCheckPlan, _ endpoints: [EndpointConfig]) {
        self.plan = plan
        slots = endpoints.map(\.slot)
    }

    func end() { watch.loop.clearDeadline(self) }

    private var counts: [(slot: UInt32, counts: OutlierWindows.Counts)] {
        slots.compactMap {
            let cell = watch.cell($0)
            return cell.isEjected ? nil : ($0, cell.counts)
        }
    }

    override func deadlinePassed(now: Instant) {
        watch.loop.setDeadline(self, now + plan.interval)
        for slot in slots {
            let cell = watch.cell(slot)
            let total = cell.ejectionHistory.total
            if !cell.isEjected, seen[slot] ?? total == total { cell.forgive() }
            seen[slot] = total
        }
        for (slot, cause) in windows.judge(counts, plan) {
            let others = slots.filter { $0 != slot }.map { watch.cell($0) }
            let cell = watch.cell(slot)
            guard let length = cell.eject(plan, cause: cause, others: others, now: now) else { continue }
            watch.log.write(
                .warning, "an endpoint is ejected",
                watch.facts(slot) + [
                    ("cause", .text("\(cause.text)")), ("seconds", .text(length.decimalSeconds)),
                    ("ejections", LogValue(cell.ejectionHistory.total)),
                ])
        }
    }
}
