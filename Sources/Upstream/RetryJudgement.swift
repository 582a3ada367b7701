import Config
import Core

/// Which ends of an attempt a set of triggers covers. As Envoy's router decides it; what differs is said where it does.
extension RetryTriggers {
    /// An attempt without a response.
    ///
    /// `5xx` and `gateway-error` cover every failure, since the client would get a 503 or 504 for it. A timeout of the
    /// attempt counts as a reset that we made. Whole requests that are out of time are never asked about.
    @inlinable public func cover(_ failure: AttemptFailure) -> Bool {
        if !isDisjoint(with: [.serverError, .gatewayError, .reset]) { return failure != .responseBroken }
        return switch failure {
        case .connectFailed, .connectTimedOut:
            // Nothing was sent: `reset-before-request` says no less.
            !isDisjoint(with: [.connectFailure, .resetBeforeRequest])
        case .refusedStream: contains(.refusedStream)
        case .resetBeforeRequest: contains(.resetBeforeRequest)
        case .reset, .timedOut, .responseBroken, .protocolError: false
        }
    }

    /// A response by its status alone.
    /// - Parameter isListed: whether `httpStatusCodes` names it; asked only where that matters.
    @inlinable public func cover(status: UInt16, isListed: @autoclosure () -> Bool) -> Bool {
        if contains(.serverError), status >= 500, status < 600 { return true }
        if contains(.gatewayError), status >= 502, status <= 504 { return true }
        // A conflict is the only one that time may mend by itself.
        if contains(.retriable4xx), status == 409 { return true }
        return contains(.retriableStatusCodes) && isListed()
    }

    /// A response of gRPC whose head tells the call's status ("Trailers-Only").
    @inlinable public func cover(grpcStatus: UInt64) -> Bool {
        switch grpcStatus {
        case 1: contains(.cancelled)
        case 4: contains(.deadlineExceeded)
        case 8: contains(.resourceExhausted)
        case 13: contains(.internalError)
        case 14: contains(.unavailable)
        default: false
        }
    }
}

extension RetryBackOff {
    /// The wait before retry number `retry`, from 0: full jitter over an interval that doubles, as Envoy has it.
    @inlinable public func pause(before retry: UInt32, using random: inout SeededRandom) -> TimeAmount {
        if isMinimum { return base }
        var interval = base.nanoseconds
        var doublings = retry
        while doublings > 0, interval < longest.nanoseconds {
            interval = interval > Int64.max / 2 ? .max : interval * 2
            doublings -= 1
        }
        interval = min(interval, longest.nanoseconds)
        guard interval > 0 else { return .zero }
        return TimeAmount(nanoseconds: Int64(random.next() % UInt64(interval)))
    }
}
