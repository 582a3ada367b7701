import Core

/// How one attempt at an endpoint ended: what retries, outlier detection and statistics are told, once for each attempt.
public enum AttemptEnd: Equatable, BitwiseCopyable, Sendable {
    /// A response's head came.
    /// - Parameters:
    ///   - status: of HTTP.
    ///   - grpcStatus: of gRPC, where the head alone tells it ("Trailers-Only"); negative: it does not.
    case response(status: UInt16, grpcStatus: Int8 = -1)
    /// None that could be used: the endpoint's fault, or the way's.
    case failed(AttemptFailure)
    /// Nobody waits for it any more (the client went, another attempt was faster, a drain's end): says nothing of the
    /// endpoint.
    case abandoned

    /// Of HTTP; 0 where no head came.
    @inlinable public var status: UInt16 {
        switch self {
        case .response(let status, _): status
        case .failed, .abandoned: 0
        }
    }
}

/// Why an attempt got no response that could be used.
public enum AttemptFailure: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// No connection: refused, unreachable, no descriptor, a TLS handshake that failed.
    case connectFailed
    /// No connection in time.
    case connectTimedOut
    /// The endpoint said that it has not begun with it (RFC 9113, section 8.7).
    case refusedStream
    /// Closed or reset before a response's head, nothing of the request having been sent.
    case resetBeforeRequest
    /// Closed or reset before a response's head.
    case reset
    /// Closed or reset within a response.
    case responseBroken
    /// The attempt's own time, or the whole request's, was over.
    case timedOut
    /// What came was no HTTP.
    case protocolError

    /// No connection was made: the request was never sent.
    @inlinable public var isConnecting: Bool { self == .connectFailed || self == .connectTimedOut }
}
