import Core

/// BackendTrafficPolicy `faultInjection`: some requests are delayed, some are answered with an error.
public struct FaultInjectionPlan: Equatable, BitwiseCopyable, Sendable {
    /// A share of the requests in millionths: percentages are exact to 0.0001.
    public struct Share: Equatable, BitwiseCopyable, Sendable {
        public static let whole: UInt32 = 1_000_000
        public var millionths: UInt32

        public init(millionths: UInt32) { self.millionths = min(millionths, Self.whole) }
        public init(percentage: Double) { millionths = UInt32((min(max(percentage, 0), 100) * 10_000).rounded()) }

        /// Whether a request falls under it, of which `draw` is evenly distributed over all 64 bits.
        @inlinable public func takes(_ draw: UInt64) -> Bool {
            // The high part of the product is a number below `whole`, so evenly distributed to within 2⁻⁴⁴.
            draw.multipliedFullWidth(by: UInt64(Self.whole)).high < UInt64(millionths)
        }
    }

    /// Zero: none.
    public var delay = TimeAmount.zero
    public var delayed = Share(millionths: 0)
    /// The answer of an aborted request; 0: ``grpcStatus``.
    public var httpStatus: UInt16 = 0
    public var grpcStatus: UInt8 = 0
    public var aborted = Share(millionths: 0)

    public init() {}
}
