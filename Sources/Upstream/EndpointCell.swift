/// What all processes know of one endpoint, whatever clusters use it. Words are atomic; each has the writers that are named.
public struct EndpointCell: @unchecked Sendable {
    /// A worker's own part: requests in flight (32 bits), and connections (32 bits).
    public static let layout = LiveArea.Layout(slots: LiveState.endpointLimit, common: 128, own: 8)

    /// Why an endpoint gets no requests, besides ejection. None: it is usable. Written by the controller.
    public struct Faults: OptionSet, Sendable {
        public let rawValue: UInt64
        @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Its active checks fail.
        public static let failedChecks = Faults(rawValue: 1)
        /// It is new, none of its checks has been answered yet, and others pass theirs.
        public static let untried = Faults(rawValue: 2)
    }

    private let base: UnsafeMutableRawPointer
    init(_ base: UnsafeMutableRawPointer) { self.base = base }

    @inline(__always) private func word(_ number: Int) -> SharedWord { SharedWord(base + number * 8) }

    // The first line: what is read for each request.
    /// ``Faults``.
    public var faults: SharedWord { word(0) }
    /// ``Ejection``; 0: it is in. Written by whoever ejects and whoever ends the ejection.
    public var ejectedUntil: SharedWord { word(1) }
    /// ``EjectionHistory``.
    public var ejections: SharedWord { word(2) }
    /// Since when it has been usable, for slow start: nanoseconds of the monotonic clock; 0: always.
    public var usableSince: SharedWord { word(3) }
    /// Peak EWMA of latency: nanoseconds, with the time of the last sample in ``latencyAt``.
    public var latency: SharedWord { word(4) }
    public var latencyAt: SharedWord { word(5) }
    /// ``Probes``: what active checks have told. Written by the controller.
    public var probes: SharedWord { word(6) }

    // The second line: what is written at the end of attempts, where a policy looks at their outcomes.
    /// Failures in a row: 16 bits each for 5xx, gateway errors, local-origin failures.
    public var failuresInARow: SharedWord { word(8) }
    /// Attempts (32 bits) and those of them that failed (32 bits). Both only grow, and wrap around.
    public var outcomes: SharedWord { word(9) }

    /// Whether new requests may go there.
    @inlinable public var isUsable: Bool { faults.value == 0 && ejectedUntil.value == 0 }
}
