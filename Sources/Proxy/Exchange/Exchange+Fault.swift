import Config
import Connection
import Core
import HTTP
import Telemetry

/// BackendTrafficPolicy `faultInjection`. A request that is delayed holds its own connection and this object, nothing else;
/// a client that leaves ends it.
extension Exchange {
    func passFault(_ traffic: UnsafePointer<RouteTrafficConfig>) -> Admission {
        guard !traffic.pointee.faultInjection.isEmpty else { return .passed }
        let fault = snapshot[traffic.pointee.faultInjection, 0]
        if faultDeadline == .distantFuture {
            if fault.pointee.delay > .zero, fault.pointee.delayed.takes(worker.random.next()) {
                reason = .delayInjected
                worker.statistics.increment(.delaysInjected)
                faultDeadline = worker.loop.now + fault.pointee.delay
                // Silence that we make ourselves is not the client's.
                lastProgress = faultDeadline
                return .waiting
            }
        } else {
            faultDeadline = .distantFuture
        }
        guard fault.pointee.aborted.millionths > 0, fault.pointee.aborted.takes(worker.random.next()) else {
            return .passed
        }
        worker.statistics.increment(.abortsInjected)
        if fault.pointee.httpStatus > 0 {
            answer(fault.pointee.httpStatus, .faultInjected, "an injected fault")
        } else if isGRPC || grpcWeb != nil {
            answerCall(fault.pointee.grpcStatus, .faultInjected, ByteView("an injected fault"))
        } else {
            answer(GRPCStatus.httpStatus(of: fault.pointee.grpcStatus), .faultInjected, "an injected fault")
        }
        return .answered
    }

    /// The delay is over.
    func endDelay() {
        precondition(phase == .admitting, "a delay of a request that is past it")
        nextStage = AdmissionStage.faultInjection.rawValue
        admit()
    }
}
