/// How requests are shared out among backends that serve and those that are their fallback (Backend `fallback`), by health.
public enum PriorityShares {
    /// Per cent of the requests that the first priority gets; the rest is the fallback's.
    ///
    /// As Envoy: a priority is as healthy as 1.4 times its part of usable endpoints, at most wholly. What the first cannot
    /// take goes to the second, as far as that is healthy; when both together are not enough, they share in proportion.
    public static func first(usable: Int, of total: Int, fallbackUsable: Int, of fallbackTotal: Int) -> Int {
        func health(_ usable: Int, _ total: Int) -> Int {
            total == 0 ? 0 : min(100, 140 * usable / total)
        }
        let own = health(usable, total)
        let other = health(fallbackUsable, fallbackTotal)
        if own + other == 0 { return 100 }
        if own + other >= 100 { return own }
        return 100 * own / (own + other)
    }
}
