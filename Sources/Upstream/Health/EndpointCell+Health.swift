import Config
import Core

/// What active checks have told of an endpoint.
public struct ProbeState: BitwiseCopyable, Equatable, Sendable {
    /// Nil: nothing is known, because nobody checks it.
    public var standing: ProbeSeries.Standing?
    /// The endpoints that its Service names now do not have it any more, but its checks pass (self-preservation).
    public var isStale: Bool

    public init(standing: ProbeSeries.Standing? = nil, isStale: Bool = false) {
        self.standing = standing
        self.isStale = isStale
    }

    init(word: UInt64) {
        standing = word & 3 == 0 ? nil : ProbeSeries.Standing(rawValue: UInt8(word & 3) - 1)
        isStale = word & 4 != 0
    }

    var word: UInt64 { (standing.map { UInt64($0.rawValue) + 1 } ?? 0) | (isStale ? 4 : 0) }
}

/// An ejection that lasts.
public struct Ejection: BitwiseCopyable, Equatable, Sendable {
    /// When the endpoint may be tried again; of a probation, when another may try.
    public var until: Instant
    /// One request is finding out whether it is well.
    public var isProbation: Bool

    public init(until: Instant, isProbation: Bool = false) {
        self.until = until
        self.isProbation = isProbation
    }

    init?(word: UInt64) {
        guard word != 0 else { return nil }
        until = Instant(nanoseconds: Int64(word >> 1))
        isProbation = word & 1 != 0
    }

    // Never zero.
    var word: UInt64 { UInt64(max(1, until.nanoseconds)) << 1 | (isProbation ? 1 : 0) }
}

/// How often an endpoint was ejected.
public struct EjectionHistory: BitwiseCopyable, Equatable, Sendable {
    /// Since the endpoint came.
    public var total: UInt32
    /// What the next one's time is multiplied by, less one.
    public var inARow: UInt16
    /// Of the last.
    public var cause: EjectionCause

    init(word: UInt64) {
        total = UInt32(truncatingIfNeeded: word)
        inARow = UInt16(truncatingIfNeeded: word >> 32)
        cause = EjectionCause(rawValue: UInt8(truncatingIfNeeded: word >> 48)) ?? .none
    }

    var word: UInt64 { UInt64(total) | UInt64(inARow) << 32 | UInt64(cause.rawValue) << 48 }
}

/// Health: what checks and outcomes do to an endpoint. Every step is one exchange of a word, so that of several processes that
/// want the same, one does it and is told so; it is the one that writes the line in the log.
extension EndpointCell {
    public var probeState: ProbeState {
        get { ProbeState(word: probes.value) }
        nonmutating set { if probes.value != newValue.word { probes.value = newValue.word } }
    }
    /// Nil: it is in.
    public var ejection: Ejection? { Ejection(word: ejectedUntil.value) }
    public var ejectionHistory: EjectionHistory { EjectionHistory(word: ejections.value) }
    public var isEjected: Bool { ejectedUntil.value != 0 }
    public var counts: OutlierWindows.Counts {
        let word = outcomes.value
        return .init(total: UInt32(truncatingIfNeeded: word), failed: UInt32(truncatingIfNeeded: word >> 32))
    }

    // MARK: probation

    /// Claims the one request that finds out whether an endpoint whose ejection is over is well. True: the caller's request
    /// goes there, and its outcome decides. Nobody else's does meanwhile, or for ``EjectionRules/probation`` when no outcome is
    /// ever told.
    public func beginProbation(now: Instant) -> Bool {
        let known = ejectedUntil.value
        guard let ejection = Ejection(word: known), ejection.until <= now else { return false }
        let lease = Ejection(until: now + EjectionRules.probation, isProbation: true)
        return ejectedUntil.replace(known, by: lease.word).isDone
    }

    // MARK: outcomes

    /// What an outcome came to.
    public enum Verdict: Equatable, BitwiseCopyable, Sendable {
        case nothing
        /// So many failures in a row that it is to be taken out, if the other endpoints allow it.
        case excessive(EjectionCause)
        /// It has passed its probation and is in again.
        case isBack
    }

    /// Tells how an attempt ended. A success after a success costs two reads and an addition.
    public func note(_ outcome: AttemptOutcome, _ plan: PassiveCheckPlan) -> Verdict {
        if outcome == .unknown { return .nothing }
        let isFailure = outcome != .success
        // What the endpoint said and what never reached it are counted apart, or together (Envoy's split).
        let isApart = outcome == .localOrigin && plan.splitExternalLocalOriginErrors
        if !isApart { outcomes.add(isFailure ? 1 << 32 | 1 : 1) }
        let known = ejectedUntil.value
        if let ejection = Ejection(word: known) {
            // The outcome of something that began before tells nothing new; that of a probation does.
            guard ejection.isProbation else { return .nothing }
            if isFailure { return .excessive(.probation) }
            guard ejectedUntil.replace(known, by: 0).isDone else { return .nothing }
            failuresInARow.value = 0
            return .isBack
        }
        if !isFailure {
            if failuresInARow.value != 0 { failuresInARow.value = 0 }
            return .nothing
        }
        while true {
            let known = failuresInARow.value
            var streak = FailureStreak(word: known)
            let cause = streak.take(outcome, plan)
            guard failuresInARow.replace(known, by: streak.word).isDone else { continue }
            return cause == .none ? .nothing : .excessive(cause)
        }
    }

    // MARK: ejection

    /// Takes it out, if enough of the others are in.
    /// - Parameter others: the cells of the cluster's other endpoints.
    /// - Returns: for how long; nil: it stays in, or somebody else has just taken it out.
    public func eject(
        _ plan: PassiveCheckPlan, cause: EjectionCause, others: some Collection<EndpointCell>, now: Instant
    ) -> TimeAmount? {
        let isProbation = cause == .probation
        let count = others.count + 1
        // One on probation counts as out already.
        if !isProbation, !EjectionRules.permits(plan, ejected: others.count { $0.isEjected }, of: count) { return nil }
        let known = ejectedUntil.value
        guard Ejection(word: known).map({ isProbation && $0.isProbation }) ?? !isProbation else { return nil }
        // Past the cap a greater multiplier would only make the way back longer.
        let before = ejectionHistory.inARow
        let grows = before == 0 || (before < .max && !EjectionRules.isAtCap(plan, multiplier: UInt32(before)))
        let duration = EjectionRules.duration(plan, multiplier: UInt32(grows ? before + 1 : before))
        let ejection = Ejection(until: now + duration)
        guard ejectedUntil.replace(known, by: ejection.word).isDone else { return nil }
        // Somebody may have taken out another at the same time: then both have counted too few.
        if !isProbation, !EjectionRules.permits(plan, ejected: others.count { $0.isEjected }, of: count) {
            _ = ejectedUntil.replace(ejection.word, by: 0)
            return nil
        }
        revise { history in
            history.total &+= 1
            history.inARow = grows ? before + 1 : before
            history.cause = cause
        }
        failuresInARow.value = 0
        return duration
    }

    /// Makes the next ejection one base time shorter: to be called for each interval in which the endpoint was in.
    public func forgive() {
        guard ejectionHistory.inARow > 0 else { return }
        revise { if $0.inARow > 0 { $0.inARow -= 1 } }
    }

    private func revise(_ change: (inout EjectionHistory) -> Void) {
        while true {
            let known = ejections.value
            var history = EjectionHistory(word: known)
            change(&history)
            if ejections.replace(known, by: history.word).isDone { return }
        }
    }

    /// No policy looks at outcomes any more: it is in, and what was held against it is forgotten.
    public func forgetOutcomes() {
        if ejectedUntil.value != 0 { ejectedUntil.value = 0 }
        if failuresInARow.value != 0 { failuresInARow.value = 0 }
        if ejections.value != 0 { ejections.value = 0 }
    }
}

/// Failures in a row, of one endpoint.
private struct FailureStreak: BitwiseCopyable {
    var serverErrors: UInt16
    var gatewayErrors: UInt16
    var localFailures: UInt16

    init(word: UInt64) {
        serverErrors = UInt16(truncatingIfNeeded: word)
        gatewayErrors = UInt16(truncatingIfNeeded: word >> 16)
        localFailures = UInt16(truncatingIfNeeded: word >> 32)
    }

    var word: UInt64 { UInt64(serverErrors) | UInt64(gatewayErrors) << 16 | UInt64(localFailures) << 32 }

    /// Counts a failure. A count that reaches its limit begins anew, whether the endpoint is taken out or not (Envoy).
    mutating func take(_ outcome: AttemptOutcome, _ plan: PassiveCheckPlan) -> EjectionCause {
        let isLocal = outcome == .localOrigin
        if plan.splitExternalLocalOriginErrors {
            if isLocal {
                return Self.count(&localFailures, plan.consecutiveLocalOriginFailures, .consecutiveLocalOrigin)
            }
            // An answer of any kind is an answer.
            localFailures = 0
        }
        var cause = EjectionCause.none
        if isLocal || outcome == .gatewayError {
            cause = Self.count(&gatewayErrors, plan.consecutiveGatewayErrors, .consecutiveGateway)
        } else {
            gatewayErrors = 0
        }
        let other = Self.count(&serverErrors, plan.consecutive5XxErrors, .consecutive5Xx)
        return cause == .none ? other : cause
    }

    private static func count(_ count: inout UInt16, _ limit: UInt32, _ cause: EjectionCause) -> EjectionCause {
        guard limit > 0 else { return .none }
        if count < .max { count += 1 }
        guard UInt32(count) >= min(limit, UInt32(UInt16.max)) else { return .none }
        count = 0
        return cause
    }
}
