import Config
import Connection
import Core
import HTTP
import Telemetry
import Upstream

/// The stages of admission control (BackendTrafficPolicy `admissionControl`) and of adaptive concurrency: requests are
/// refused by chance, as many as the last ones failed, or when more are under way than round trips allow.
extension Exchange {
    func passAdmissionControl(_ traffic: UnsafePointer<RouteTrafficConfig>) -> Admission {
        guard !traffic.pointee.admissionControl.isEmpty else { return .passed }
        let plan = snapshot[traffic.pointee.admissionControl, 0]
        let now = worker.loop.now
        let counts = worker.liveState.limits.successes(traffic.pointee.identity, now: now)
            .counts(window: plan.pointee.samplingWindow, now: now)
        let rejections = plan.pointee.rejections(requests: counts.requests, successes: counts.successes)
        if rejections > 0, worker.random.next() % 10_000 < UInt64(rejections) {
            worker.statistics.increment(.admissionRejected)
            answer(503, .upstreamOverflow, "too many of the last requests failed: this one is not sent")
            return .answered
        }
        limits.awaitsOutcome = true
        limits.isOpen = true
        return .passed
    }

    func passAdaptiveConcurrency(_ traffic: UnsafePointer<RouteTrafficConfig>) -> Admission {
        guard !traffic.pointee.adaptiveConcurrency.isEmpty else { return .passed }
        let plan = snapshot[traffic.pointee.adaptiveConcurrency, 0]
        let now = worker.loop.now
        guard worker.liveState.limits.gradient(traffic.pointee.identity, now: now).begin(now: now, plan.pointee) else {
            worker.statistics.increment(.concurrencyRejected)
            answer(503, .upstreamOverflow, "too many requests are under way")
            return .answered
        }
        limits.concurrencyBegan = now
        limits.isOpen = true
        return .passed
    }

    /// The exchange is over: what it came to is noted. Called once, while rule and request are still there.
    func closeLimits() {
        guard let rule, !rule.pointee.traffic.isEmpty else { return }
        let traffic = snapshot[rule.pointee.traffic, 0]
        endConcurrency(traffic)
        if limits.awaitsOutcome { noteOutcome(traffic) }
        if limits.chargesResponse { chargeResponse() }
    }

    private func endConcurrency(_ traffic: UnsafePointer<RouteTrafficConfig>) {
        guard let began = limits.concurrencyBegan, !traffic.pointee.adaptiveConcurrency.isEmpty else { return }
        limits.concurrencyBegan = nil
        let now = worker.loop.now
        // A tunnel lasts as long as its two ends like, and an answer of our own is no round trip.
        let isSample = reason == .none && headAt > startedAt && phase == .relaying
        worker.liveState.limits.gradient(traffic.pointee.identity, now: now).ended(
            began: began, now: now, snapshot[traffic.pointee.adaptiveConcurrency, 0].pointee, isSample: isSample,
            chance: worker.random.next())
    }

    /// Of a call of gRPC whose outcome is awaited: the status, where the head is all there is.
    func noteGRPCStatus(_ response: ResponseMessage, _ bytes: ByteView) {
        guard let line = response.head.fields.firstIndex(named: ByteView("grpc-status"), in: bytes, from: 0) else {
            return
        }
        limits.grpcStatus = response.head.fields[line].value(in: bytes).decimal.map { UInt8(clamping: $0) }
    }

    private func noteOutcome(_ traffic: UnsafePointer<RouteTrafficConfig>) {
        // What never came to a backend says nothing of it: refused by a limit, or the client went.
        if reason == .rateLimited || reason == .downstreamTermination { return }
        if reason == .upstreamOverflow, attempts == 0 { return }
        guard !traffic.pointee.admissionControl.isEmpty else { return }
        let plan = snapshot[traffic.pointee.admissionControl, 0]
        let now = worker.loop.now
        worker.liveState.limits.successes(traffic.pointee.identity, now: now).record(
            isSuccess: isSuccess(plan), window: plan.pointee.samplingWindow, now: now)
    }

    private func isSuccess(_ plan: UnsafePointer<AdmissionControlPlan>) -> Bool {
        if isGRPC {
            guard reason == .none, let grpcStatus = limits.grpcStatus else { return false }
            return plan.pointee.grpcSuccesses >> UInt32(min(grpcStatus, 31)) & 1 == 1
        }
        return plan.pointee.httpSuccesses.contains(status)
    }
}
