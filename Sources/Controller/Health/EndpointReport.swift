import Core
import IO
import Telemetry
import Upstream

/// What is known of one endpoint's health, for people and for metrics.
struct EndpointReport {
    /// `healthy`, `unhealthy` (its checks fail), `pending` (no check has been answered), `ejected`, `probation` (the ejection
    /// is over, one request is finding out), `unknown` (no policy looks at it).
    var health: String
    /// Why it is not in use; empty: it is.
    var reason: String
    var ejections: UInt32
    /// Wall clock, nanoseconds since 1970; nil: it is not ejected.
    var ejectedUntil: Int64?
    /// It is in use although the set does not name it any more.
    var isStale: Bool
    /// New requests go there.
    var isUsable: Bool

    init(_ slot: UInt32, _ watch: HealthWatch) {
        let cell = watch.cell(slot)
        let probes = cell.probeState
        let ejection = cell.ejection
        let history = cell.ejectionHistory
        ejections = history.total
        isStale = probes.isStale
        isUsable = slot == 0 || cell.isUsable
        ejectedUntil = ejection.map { watch.loop.wallNow + ($0.until.nanoseconds - watch.loop.now.nanoseconds) }
        reason = ""
        if probes.standing == .failing {
            health = "unhealthy"
            reason = watch.problem(slot)
            if reason.isEmpty { reason = "its health checks fail" }
        } else if let ejection {
            health = ejection.isProbation || ejection.until <= watch.loop.now ? "probation" : "ejected"
            reason = "\(history.cause.text)"
        } else {
            switch probes.standing {
            case nil: health = watch.isJudged(slot) ? "healthy" : "unknown"
            case .pending: health = "pending"
            case .passing, .failing: health = "healthy"
            }
        }
    }

    /// `ejected for 12 s: consecutive 5xx errors`, for `sluice status`.
    func words(wallNow: Int64) -> String {
        var words = health
        if health == "ejected", let ejectedUntil {
            words += " for \(max(0, (ejectedUntil - wallNow + 999_999_999) / 1_000_000_000)) s"
        }
        if !reason.isEmpty { words += ": \(reason)" }
        if isStale { words += "; stale: kept although it was taken away" }
        return words
    }
}
