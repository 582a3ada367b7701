import Config
import Core

/// How many endpoints may be out at once, and for how long: Envoy's rules of outlier detection.
public enum EjectionRules {
    /// No ejection is longer, unless the base is.
    public static let longestEjection = TimeAmount.seconds(300)
    /// How long the one request of a probation may take before another may try. Its own end, if it comes earlier, decides.
    public static let probation = TimeAmount.seconds(10)

    /// `baseEjectionTime` times the ejections in a row, up to the cap.
    /// - Parameter multiplier: from 1.
    public static func duration(_ plan: PassiveCheckPlan, multiplier: UInt32) -> TimeAmount {
        let (product, overflow) = plan.baseEjectionTime.nanoseconds.multipliedReportingOverflow(by: Int64(multiplier))
        let longest = max(plan.baseEjectionTime, longestEjection)
        return overflow ? longest : min(.nanoseconds(product), longest)
    }

    /// Whether a greater multiplier would make no difference.
    static func isAtCap(_ plan: PassiveCheckPlan, multiplier: UInt32) -> Bool {
        duration(plan, multiplier: multiplier) >= longestEjection
    }

    /// Whether one more of `count` endpoints may be taken out where `ejected` are out already.
    public static func permits(_ plan: PassiveCheckPlan, ejected: Int, of count: Int) -> Bool {
        if plan.alwaysEjectOneEndpoint, ejected == 0 { return true }
        return (ejected + 1) * 100 <= Int(plan.maxEjectionPercent) * count
    }
}

/// How one attempt at an endpoint ended, as far as it says something about the endpoint.
public enum AttemptOutcome: UInt8, BitwiseCopyable, Sendable {
    /// The client gave up, or we did for reasons of our own: nothing is said.
    case unknown
    case success
    /// A response of 500 to 599 that is no gateway's.
    case serverError
    /// 502, 503 or 504.
    case gatewayError
    /// No connection, a connection that broke, or no answer in time.
    case localOrigin

    /// Of a response's status; 0: there was none.
    @inlinable public init(status: UInt16) {
        switch status {
        case 0: self = .unknown
        case 502, 503, 504: self = .gatewayError
        case 500...: self = .serverError
        default: self = .success
        }
    }
}

/// Why an endpoint was taken out.
public enum EjectionCause: UInt8, BitwiseCopyable, Sendable {
    case none, consecutive5Xx, consecutiveGateway, consecutiveLocalOrigin, failurePercentage, successRate, probation

    /// As in the log, `/api/backends` and metrics.
    public var text: StaticString {
        switch self {
        case .none: "none"
        case .consecutive5Xx: "consecutive 5xx errors"
        case .consecutiveGateway: "consecutive gateway errors"
        case .consecutiveLocalOrigin: "consecutive local-origin failures"
        case .failurePercentage: "failure percentage"
        case .successRate: "success rate below the other endpoints'"
        case .probation: "failed on probation"
        }
    }
}

extension TimeAmount {
    /// For people: `1.5`.
    public var decimalSeconds: String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : "\(Double(milliseconds) / 1000)"
    }
}
