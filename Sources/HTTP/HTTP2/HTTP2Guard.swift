import Core

/// Keeps the accounts of what a peer asks for without bringing a request forward (``HTTP2AbuseLimits``). It decides and
/// does nothing; time comes from outside. Constant time and memory, whatever the peer sends.
public struct HTTP2Guard: BitwiseCopyable, Sendable {
    public enum Abuse: UInt8, BitwiseCopyable, Sendable, CaseIterable {
        case resets, provokedResets, controlFrames, windowUpdates, continuations, ignoredHeads, droppedHead
        case waitingFrames

        /// For the log.
        public var reason: StaticString {
            switch self {
            case .resets: "too many streams reset by the peer"
            case .provokedResets: "too many streams that had to be reset"
            case .controlFrames: "too many frames without content"
            case .windowUpdates: "too many window updates"
            case .continuations: "too many CONTINUATION frames"
            case .ignoredHeads: "too many heads on closed streams"
            case .droppedHead: "a head far past its limit"
            case .waitingFrames: "the peer does not read"
            }
        }
    }

    /// Thousandths of a frame that are used up.
    private struct Account: BitwiseCopyable, Sendable {
        var used: Int64 = 0
        var since: Instant

        mutating func charge(_ count: Int, _ allowance: HTTP2AbuseLimits.Allowance, _ now: Instant) -> Bool {
            let passed = min(max(0, (now - since).nanoseconds / 1_000_000), 3_600_000)
            // Only whole milliseconds are taken, so that many calls within one lose nothing.
            if passed > 0 {
                used = max(0, used - passed * Int64(allowance.perSecond))
                since = now
            }
            used += Int64(count) * 1000
            return used > Int64(allowance.burst) * 1000
        }

        mutating func earn(_ count: Int) { used = max(0, used - Int64(count) * 1000) }
    }

    private let limits: HTTP2AbuseLimits
    private var resets: Account
    private var provoked: Account
    private var control: Account
    private var windows: Account

    public init(limits: HTTP2AbuseLimits, now: Instant) {
        self.limits = limits
        resets = Account(since: now)
        provoked = Account(since: now)
        control = Account(since: now)
        windows = Account(since: now)
    }

    // Each returns the abuse when its allowance is used up; what is called then is not asked again.

    public mutating func peerReset(now: Instant) -> Abuse? {
        resets.charge(1, limits.resets, now) ? .resets : nil
    }

    public mutating func provokedReset(now: Instant) -> Abuse? {
        provoked.charge(1, limits.provokedResets, now) ? .provokedResets : nil
    }

    public mutating func controlFrame(now: Instant) -> Abuse? {
        control.charge(1, limits.controlFrames, now) ? .controlFrames : nil
    }

    /// A head, or a piece of one, on a stream that is over: it must be decoded, and means nothing.
    public mutating func ignoredHead(octets: Int, now: Instant) -> Abuse? {
        control.charge(1 + octets / 256, limits.controlFrames, now) ? .ignoredHeads : nil
    }

    public mutating func windowUpdate(now: Instant) -> Abuse? {
        windows.charge(1, limits.windowUpdates, now) ? .windowUpdates : nil
    }

    public mutating func streamOpened() {
        windows.earn(2)
        control.earn(1)
    }

    public mutating func streamEndedWell() { resets.earn(1) }
    public mutating func contentReceived() { control.earn(1) }

    public mutating func contentSent() {
        control.earn(1)
        windows.earn(4)
    }
}
