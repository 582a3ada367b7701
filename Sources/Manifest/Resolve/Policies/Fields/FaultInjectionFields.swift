import Config
import Core

extension FaultInjectionPlan {
    /// BackendTrafficPolicy `faultInjection`; nil: none.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        self.init()
        let delay = node[.delay]
        if delay.exists {
            self.delay = reading.duration(delay[.fixedDelay]) ?? .zero
            delayed = Share(percentage: delay[.percentage].number ?? 100)
        }
        let abort = node[.abort]
        guard abort.exists else { return }
        aborted = Share(percentage: abort[.percentage].number ?? 100)
        if let status = abort[.httpStatus].integer {
            guard (200...599).contains(status) else {
                reading.refuse(abort[.httpStatus], "\(status) is no status of a response; 200 to 599 are")
                return nil
            }
            httpStatus = UInt16(status)
        } else {
            grpcStatus = UInt8(clamping: abort[.grpcStatus].integer ?? 0)
        }
    }
}
