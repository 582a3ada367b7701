import Core

/// What one exchange has to do with the limits of its rule, from the stage that it passes to its end.
struct LimitUse: ~Copyable {
    /// Who calls, once a rule has asked.
    var caller = ByteBuffer()
    /// The values that tell apart the bucket being asked for; it keeps its memory.
    var values = ByteBuffer()

    // Rate limits.
    /// Of the limit nearest to its end: what the client is told.
    var told = RateLimitFields()
    /// Answers of a counter elsewhere that are still to come.
    var unanswered = 0
    /// Under which they were asked: an answer that comes when this object serves another request is dropped.
    var ticket: UInt64 = 0
    /// One of them said that its limit is used up.
    var isRefusedElsewhere = false
    /// Some rule counts the response, too.
    var chargesResponse = false

    // Admission control, adaptive concurrency.
    var awaitsOutcome = false
    var concurrencyBegan: Instant?
    /// What the backend said of a call of gRPC, in its head or in its trailers.
    var grpcStatus: UInt8?

    // Bandwidth.
    /// When a body that waits for its bucket goes on.
    var goesOnAt = Instant.distantFuture
    var requestWaitsSince: Instant?
    var responseWaitsSince: Instant?
    var requestDelay = TimeAmount.zero
    var responseDelay = TimeAmount.zero

    /// Something is to be done when the exchange ends.
    var isOpen = false

    /// A body has waited long enough.
    mutating func goesOn(_ direction: Exchange.Direction, _ now: Instant) {
        switch direction {
        case .request:
            if let since = requestWaitsSince { requestDelay = requestDelay + (now - since) }
            requestWaitsSince = nil
        case .response:
            if let since = responseWaitsSince { responseDelay = responseDelay + (now - since) }
            responseWaitsSince = nil
        }
    }

    mutating func waits(_ direction: Exchange.Direction, _ now: Instant, until moment: Instant) {
        goesOnAt = min(goesOnAt, moment)
        switch direction {
        case .request: if requestWaitsSince == nil { requestWaitsSince = now }
        case .response: if responseWaitsSince == nil { responseWaitsSince = now }
        }
    }

    mutating func clear() {
        caller.clear()
        values.clear()
        told = RateLimitFields()
        unanswered = 0
        ticket = 0
        isRefusedElsewhere = false
        chargesResponse = false
        awaitsOutcome = false
        concurrencyBegan = nil
        grpcStatus = nil
        goesOnAt = .distantFuture
        requestWaitsSince = nil
        responseWaitsSince = nil
        requestDelay = .zero
        responseDelay = .zero
        isOpen = false
    }
}

/// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (draft-polli-ratelimit-headers-03), of the one limit that is told.
struct RateLimitFields: BitwiseCopyable {
    private var isSet = false
    private var limit: UInt32 = 0
    private var remaining: UInt32 = 0
    private var reset = TimeAmount.zero
    private var window = TimeAmount.zero
    /// A global limit's field names its window, as Envoy's do.
    private var isGlobal = false

    init() {}

    /// Takes a limit that leaves less than the one known.
    mutating func note(
        limit: UInt32, remaining: UInt32, reset: TimeAmount, window: TimeAmount, isGlobal: Bool
    ) {
        if isSet, self.remaining <= remaining { return }
        isSet = true
        self.limit = limit
        self.remaining = remaining
        self.reset = reset
        self.window = window
        self.isGlobal = isGlobal
    }

    func write(to out: inout ByteBuffer) {
        guard isSet else { return }
        out.append("x-ratelimit-limit: ")
        out.append(decimal: UInt64(limit))
        if isGlobal {
            out.append(", ")
            out.append(decimal: UInt64(limit))
            out.append(";w=")
            out.append(decimal: UInt64(window.nanoseconds / 1_000_000_000))
        }
        out.append("\r\nx-ratelimit-remaining: ")
        out.append(decimal: UInt64(remaining))
        out.append("\r\nx-ratelimit-reset: ")
        // A client that waits so long finds the window over.
        out.append(decimal: UInt64(max(0, (reset.nanoseconds + 999_999_999) / 1_000_000_000)))
        out.append("\r\n")
    }
}
