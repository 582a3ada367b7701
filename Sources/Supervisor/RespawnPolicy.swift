import Core

/// When a child that died is started again: at once, unless it keeps dying.
///
/// What counts is how long the last processes *lived*: time spent waiting for a start is no sign of health. So a worker
/// that dies of a rare request every few seconds is always replaced at once, and one that dies at its first step is
/// tried ever more rarely.
struct RespawnPolicy {
    /// Deaths that are forgiven within ``window`` of life.
    static let forgivenDeaths = 3
    static let window = TimeAmount.seconds(10)
    static let firstDelay = TimeAmount.milliseconds(100)
    static let longestDelay = TimeAmount.seconds(10)

    private var lifetimes: [TimeAmount] = []
    private var delay = RespawnPolicy.firstDelay

    /// - Parameter lived: from the process's start to its death.
    /// - Returns: how long to wait before the next start.
    mutating func died(after lived: TimeAmount) -> TimeAmount {
        lifetimes.append(lived)
        if lifetimes.count > Self.forgivenDeaths + 1 { lifetimes.removeFirst() }
        let sum = lifetimes.reduce(TimeAmount.zero) { total, one in total + min(one, Self.window) }
        guard lifetimes.count > Self.forgivenDeaths, sum < Self.window else {
            delay = Self.firstDelay
            return .zero
        }
        defer { delay = min(delay + delay, Self.longestDelay) }
        return delay
    }
}
