/// How much of something that cannot be taken back each may hold: as much as is left free, times its weight (dynamic
/// thresholds: Choudhury, Hahne 1998).
///
/// While much is free nobody is held. Who holds what it does not give back, as the callers of a service that hangs do, is held
/// at half of all; two of them at a third each, and so on: something stays free for everybody else without reserving it for
/// anybody by name.
public enum DynamicThreshold {
    /// Whether one who holds `held` may take more.
    /// - Parameters:
    ///   - total: what all hold.
    ///   - limit: what there is.
    ///   - weight: shares.
    public static func admits(held: UInt64, total: UInt64, limit: UInt64, weight: UInt32 = 1) -> Bool {
        guard total < limit else { return false }
        let free = (limit - total).multipliedReportingOverflow(by: UInt64(weight))
        return free.overflow || held < free.partialValue
    }
}
