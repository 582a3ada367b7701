import Core

/// BackendTrafficPolicy `admissionControl`.
public struct AdmissionControlPlan: Equatable, BitwiseCopyable, Sendable {
    /// Whole seconds.
    public var samplingWindow = TimeAmount.seconds(30)
    /// In percent.
    public var minSuccessRate: UInt8 = 95
    /// Requests a second below which none is refused.
    public var minRequestRate: UInt32 = 0
    /// In percent.
    public var maxRejectionPercent: UInt8 = 80
    public var rejectionAggression: UInt32 = 1
    /// Bit n: the gRPC status n is a success. As Envoy has it unless written: what does not speak of an overload.
    public var grpcSuccesses: UInt32 = AdmissionControlPlan.standardGRPC
    /// Bit n: the status 100 + n is a success. Unless written: 100 to 499.
    public var httpSuccesses = StatusSet.belowServerErrors

    public init() {}

    /// OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION,
    /// OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED.
    public static let standardGRPC: UInt32 =
        1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 9
        | 1 << 11 | 1 << 12 | 1 << 16
}

/// Statuses of HTTP from 100 to 599, one bit each.
public struct StatusSet: Equatable, BitwiseCopyable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)

    public init() {}

    public static var belowServerErrors: StatusSet {
        var set = StatusSet()
        for status in UInt16(100)..<500 { set.insert(status) }
        return set
    }

    public static func == (a: Self, b: Self) -> Bool {
        (UInt16(100)..<600).allSatisfy { a.contains($0) == b.contains($0) }
    }

    /// What is no status is in no set.
    public mutating func insert(_ status: UInt16) {
        guard (100..<600).contains(status) else { return }
        let bit = Int(status - 100)
        withUnsafeMutableBytes(of: &words) {
            $0.assumingMemoryBound(to: UInt64.self)[bit >> 6] |= 1 << UInt64(bit & 63)
        }
    }

    public func contains(_ status: UInt16) -> Bool {
        guard (100..<600).contains(status) else { return false }
        let bit = Int(status - 100)
        return withUnsafeBytes(of: words) {
            $0.assumingMemoryBound(to: UInt64.self)[bit >> 6] >> UInt64(bit & 63) & 1 == 1
        }
    }
}
