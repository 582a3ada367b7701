import Config
import Core

/// Which endpoints of one cluster fail too large a part of their requests: what consecutive errors cannot tell.
///
/// Judged once an interval, from counters that only grow. An endpoint's window begins anew when it has been judged; where an
/// interval brings too few requests it goes on, up to ``longestWindow`` intervals, so that little traffic is judged too, only
/// later. (Envoy throws such an interval away.)
public struct OutlierWindows: Sendable {
    /// Requests in a window that make it worth judging (Envoy's `failure_percentage_request_volume`).
    public static let leastRequests: UInt32 = 50
    /// Intervals.
    public static let longestWindow = 20
    /// An endpoint whose success rate is so many percentage points below that of the others together is an outlier…
    static let margin = 0.20
    /// …when chance would hardly do it: standard deviations of the difference.
    static let certainty = 3.5

    /// What workers have counted of one endpoint since the family began; wraps around.
    public struct Counts: Equatable, BitwiseCopyable, Sendable {
        public var total: UInt32
        public var failed: UInt32
        public init(total: UInt32 = 0, failed: UInt32 = 0) {
            self.total = total
            self.failed = failed
        }
        /// Of failures; of none, 0. (Workers add to both in one step, a reader sees both at once.)
        var rate: Double { total == 0 ? 0 : Double(min(failed, total)) / Double(total) }
    }

    private struct Window {
        var start: Counts
        var intervals = 0
        /// Of the last look; nil: it is out, or was not looked at.
        var seen: Counts?
    }
    private var windows: [UInt32: Window] = [:]

    public init() {}

    /// One interval is over.
    /// - Parameter endpoints: those that are in, by slot. Those that are missing begin anew when they are back.
    /// - Returns: who is to be taken out, the worst first.
    public mutating func judge(
        _ endpoints: [(slot: UInt32, counts: Counts)], _ plan: PassiveCheckPlan
    ) -> [(slot: UInt32, cause: EjectionCause)] {
        var all = Counts()
        var next: [UInt32: Window] = [:]
        for (slot, counts) in endpoints {
            var window = windows[slot] ?? Window(start: counts)
            let seen = Counts(
                total: counts.total &- window.start.total, failed: counts.failed &- window.start.failed)
            window.seen = seen
            window.intervals += 1
            next[slot] = window
            all.total &+= seen.total
            all.failed &+= seen.failed
        }
        // The worst first, and those that are found out are no measure for the others.
        let seen = endpoints.compactMap { endpoint in next[endpoint.slot]?.seen.map { (endpoint.slot, $0) } }
        var verdicts: [(slot: UInt32, cause: EjectionCause)] = []
        for (slot, counts) in seen.filter({ $0.1.total >= Self.leastRequests }).sorted(by: { $0.1.rate > $1.1.rate }) {
            let others = Counts(total: all.total &- counts.total, failed: all.failed &- counts.failed)
            guard let cause = Self.cause(counts, others, plan) else { continue }
            verdicts.append((slot, cause))
            all = others
        }
        for (slot, counts) in endpoints {
            guard let window = next[slot], let seen = window.seen else { continue }
            if seen.total >= Self.leastRequests || window.intervals >= Self.longestWindow {
                next[slot] = Window(start: counts)
            }
        }
        windows = next
        return verdicts
    }

    static func cause(_ seen: Counts, _ others: Counts, _ plan: PassiveCheckPlan) -> EjectionCause? {
        let failed = seen.rate
        if plan.failurePercentageThreshold > 0, failed * 100 >= Double(plan.failurePercentageThreshold) {
            return .failurePercentage
        }
        guard others.total >= leastRequests else { return nil }
        let usual = others.rate
        guard failed - usual >= margin else { return nil }
        // Two proportions, as if they were one: how far apart chance would bring them.
        let both = Double(seen.failed + others.failed) / Double(seen.total + others.total)
        let variance = both * (1 - both) * (1 / Double(seen.total) + 1 / Double(others.total))
        return (failed - usual) * (failed - usual) >= certainty * certainty * variance ? .successRate : nil
    }
}
