/// What all processes know of one endpoint, whatever clusters use it. Words are atomic; each has the writers that are named.
public struct EndpointCell: @unchecked Sendable {
    /// A worker's own part: requests in flight (32 bits), and 32 bits more.
    public static let layout = LiveArea.Layout(slots: LiveState.endpointLimit, common: 128, own: 8)

    /// Why an endpoint gets no requests. None: it is usable.
    public struct Faults: OptionSet, Sendable {
        public let rawValue: UInt64
        @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Its active checks fail. Written by the controller.
        public static let failedChecks = Faults(rawValue: 1)
        /// Outlier detection has ejected it. Written by whoever ejects and whoever ends the ejection.
        public static let ejected = Faults(rawValue: 2)
        /// It is to end: what it has it finishes. Written by the controller.
        public static let terminating = Faults(rawValue: 4)
    }

    private let base: UnsafeMutableRawPointer
    init(_ base: UnsafeMutableRawPointer) { self.base = base }

    @inline(__always) private func word(_ number: Int) -> SharedWord { SharedWord(base + number * 8) }

    /// ``Faults``.
    public var faults: SharedWord { word(0) }
    /// When the ejection ends: nanoseconds of the monotonic clock, which all processes share.
    public var ejectedUntil: SharedWord { word(1) }
    /// Ejections that count for the length of the next.
    public var ejections: SharedWord { word(2) }
    /// Since when it has been usable, for slow start: nanoseconds of the monotonic clock; 0: always.
    public var usableSince: SharedWord { word(3) }
    /// Peak EWMA of latency: nanoseconds, with the time of the last sample in ``latencyAt``.
    public var latency: SharedWord { word(4) }
    public var latencyAt: SharedWord { word(5) }
    /// Failures in a row, for outlier detection.
    public var consecutive5xx: SharedWord { word(6) }
    public var consecutiveGateway: SharedWord { word(7) }
    public var consecutiveLocalOrigin: SharedWord { word(8) }
    /// Outcomes since the controller last judged the window.
    public var windowRequests: SharedWord { word(9) }
    public var windowFailures: SharedWord { word(10) }

    @inlinable public var isUsable: Bool { faults.value == 0 }
}
