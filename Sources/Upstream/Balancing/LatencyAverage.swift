import Core
import Glibc

/// The peak-sensitive average of an endpoint's latency (peak EWMA, as Finagle has it): a slower answer is believed at once,
/// faster ones gradually. Common to all workers; two that write at the same moment lose one of many samples.
public enum LatencyAverage {
    /// After so long a sample counts for little more than a third.
    public static let decay = TimeAmount.seconds(10)
    /// Of an endpoint that is asked for the first time and has not answered yet: others come first.
    private static let unknown = 1e9

    /// Takes an answer's latency in.
    public static func add(_ latency: TimeAmount, to cell: EndpointCell, now: Instant) {
        let sample = Double(max(0, latency.nanoseconds))
        let known = Double(cell.latency.value)
        var next = sample
        if known > sample {
            let weight = remaining(of: cell, now)
            next = known * weight + sample * (1 - weight)
        }
        cell.latency.value = UInt64(max(1, next))
        cell.latencyAt.value = UInt64(max(1, now.nanoseconds))
    }

    /// What a request to the endpoint is likely to cost: its latency, for each that is under way and for itself. An endpoint
    /// that nobody asks becomes cheaper with time, so that it is tried again.
    public static func cost(of cell: EndpointCell, inFlight: Int, now: Instant) -> Double {
        let known = Double(cell.latency.value)
        if known == 0 { return inFlight == 0 ? 0 : unknown * Double(inFlight) }
        return known * remaining(of: cell, now) * Double(inFlight + 1)
    }

    /// What is left of the average after the time since its last sample.
    private static func remaining(of cell: EndpointCell, _ now: Instant) -> Double {
        let age = now.nanoseconds - Int64(clamping: cell.latencyAt.value)
        return exp(-Double(max(0, age)) / Double(decay.nanoseconds))
    }
}
