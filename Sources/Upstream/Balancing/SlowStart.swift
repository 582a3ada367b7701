import Core

/// How much of its share an endpoint gets that has not been usable for long (`slowStart.window`): as Envoy with aggression 1
/// its part of the window, at least a tenth.
public enum SlowStart {
    /// What a weight is multiplied by, so that parts of it can be told.
    public static let scale: UInt64 = 1000
    private static let least: Int64 = 100
    /// Envoy counts an endpoint's first second as over.
    private static let leastAge = TimeAmount.seconds(1)

    /// Of ``scale``.
    /// - Parameter since: ``EndpointCell/usableSince``; 0: always.
    public static func factor(since: UInt64, window: TimeAmount, now: Instant) -> UInt64 {
        guard window > .zero, since > 0 else { return scale }
        let age = max(leastAge, now - Instant(nanoseconds: Int64(clamping: since)))
        guard age < window else { return scale }
        // Milliseconds: nanoseconds of a long window times the scale would not fit.
        let part = Int64(scale) * max(1, age.milliseconds) / max(1, window.milliseconds)
        return UInt64(min(Int64(scale), max(least, part)))
    }
}
