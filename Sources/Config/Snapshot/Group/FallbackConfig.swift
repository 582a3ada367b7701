/// A ``FallbackPlan`` in the block: indexes into ``SnapshotHeader/clusters``.
public struct FallbackConfig: BitwiseCopyable, Sendable {
    public var http1 = FallbackConfig.none
    public var http2 = FallbackConfig.none
    public var opaque = FallbackConfig.none

    public static let none: UInt32 = .max
    @inlinable public var isEmpty: Bool { http1 == Self.none }

    public init(_ plan: FallbackPlan?) {
        guard let plan else { return }
        http1 = UInt32(plan.http1)
        http2 = UInt32(plan.http2)
        opaque = UInt32(plan.opaque)
    }
}
