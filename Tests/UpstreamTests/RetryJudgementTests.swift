import Config
import Core
import Testing
import Upstream

@Suite("BackendTrafficPolicy retry.retryOn") struct RetryJudgementTests {
    @Test(
        arguments: [
            (.serverError, Set(AttemptFailure.allCases).subtracting([.responseBroken])),
            (.gatewayError, Set(AttemptFailure.allCases).subtracting([.responseBroken])),
            (.reset, Set(AttemptFailure.allCases).subtracting([.responseBroken])),
            (.resetBeforeRequest, [.connectFailed, .connectTimedOut, .resetBeforeRequest]),
            (.connectFailure, [.connectFailed, .connectTimedOut]),
            (.refusedStream, [.refusedStream]),
            (.retriable4xx, []), (.retriableStatusCodes, []), (.grpc, []), ([], []),
            (.standard, [.connectFailed, .connectTimedOut, .refusedStream]),
        ] as [(RetryTriggers, Set<AttemptFailure>)])
    func failures(_ triggers: RetryTriggers, _ covered: Set<AttemptFailure>) {
        for failure in AttemptFailure.allCases {
            #expect(triggers.cover(failure) == covered.contains(failure), "\(failure)")
        }
    }

    @Test(
        arguments: [
            (.serverError, Array(500...599)), (.gatewayError, [502, 503, 504]), (.retriable4xx, [409]),
            (.retriableStatusCodes, [418, 503]), ([.retriable4xx, .gatewayError], [409, 502, 503, 504]),
            ([.reset, .connectFailure, .refusedStream, .grpc], []),
        ] as [(RetryTriggers, [UInt16])])
    func statuses(_ triggers: RetryTriggers, _ covered: [UInt16]) {
        for status in 200..<600 as Range<UInt16> {
            #expect(
                triggers.cover(status: status, isListed: status == 418 || status == 503) == covered.contains(status),
                "\(status)")
        }
    }

    @Test(
        arguments: [
            (.cancelled, 1), (.deadlineExceeded, 4), (.resourceExhausted, 8), (.internalError, 13), (.unavailable, 14),
        ] as [(RetryTriggers, UInt64)])
    func grpcStatuses(_ trigger: RetryTriggers, _ covered: UInt64) {
        for status in 0..<20 as Range<UInt64> {
            #expect(trigger.cover(grpcStatus: status) == (status == covered))
            #expect(!RetryTriggers.serverError.cover(grpcStatus: status))
        }
    }

    // MARK: back-off

    @Test("Full jitter over 25, 50, 100, 200, 250, 250 ms") func theIntervalDoublesUpToItsLimit() {
        var random = SeededRandom(seed: 7)
        let backOff = RetryBackOff.standard
        for (retry, interval) in [25, 50, 100, 200, 250, 250, 250].enumerated() {
            var longest: Int64 = 0
            var sum: Int64 = 0
            for _ in 0..<4000 {
                let pause = backOff.pause(before: UInt32(retry), using: &random)
                #expect(pause >= .zero && pause < .milliseconds(Int64(interval)))
                longest = max(longest, pause.nanoseconds)
                sum += pause.nanoseconds
            }
            // The whole of the interval is used, and its mean is the half.
            #expect(longest > Int64(interval) * 950_000)
            #expect(abs(sum / 4000 - Int64(interval) * 500_000) < Int64(interval) * 30_000)
        }
    }

    @Test func oneIntervalAtLeastIsNeverExceeded() {
        var random = SeededRandom(seed: 1)
        let backOff = RetryBackOff(base: .seconds(60), longest: .seconds(60))
        #expect(backOff.pause(before: .max, using: &random) < .seconds(60))
        let none = RetryBackOff(base: .zero)
        #expect(none.pause(before: 3, using: &random) == .zero)
    }

    @Test func aRoutesIsExact() {
        var random = SeededRandom(seed: 1)
        let plan = RetryPlan(codes: [503], attempts: 2, backoff: .milliseconds(40))
        for retry in 0..<5 as Range<UInt32> {
            #expect(plan.backOff.pause(before: retry, using: &random) == .milliseconds(40))
        }
    }
}
