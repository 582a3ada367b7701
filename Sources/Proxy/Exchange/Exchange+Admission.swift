import Config
import Connection
import Core
import HTTP

/// What a request passes between its rule and the choice of a backend, one stage after the other. A stage lets it pass,
/// makes it wait (for a timer, a counter elsewhere, the rest of its body) and resumes with ``admit()`` later, or has
/// answered it. Each stage has a file of its own.
extension Exchange {
    /// In the order in which they are passed.
    enum AdmissionStage: UInt8, CaseIterable {
        case faultInjection, admissionControl, adaptiveConcurrency, rateLimit, requestBuffer
    }
    enum Admission { case passed, waiting, answered }

    /// Runs the stages that are left; behind the last the request goes to a backend.
    func admit() {
        if fair.isKeptElsewhere, goesToIsolationWorker() { return }
        guard let rule, !rule.pointee.traffic.isEmpty else { return goToBackend() }
        phase = .admitting
        let traffic = snapshot[rule.pointee.traffic, 0]
        while let stage = AdmissionStage(rawValue: nextStage) {
            nextStage += 1
            switch pass(stage, traffic) {
            case .passed: continue
            case .waiting: return armDeadline()
            case .answered: return
            }
        }
        goToBackend()
    }

    private func pass(_ stage: AdmissionStage, _ traffic: UnsafePointer<RouteTrafficConfig>) -> Admission {
        switch stage {
        case .faultInjection: passFault(traffic)
        case .admissionControl: passAdmissionControl(traffic)
        case .adaptiveConcurrency: passAdaptiveConcurrency(traffic)
        case .rateLimit: passRateLimit(traffic)
        case .requestBuffer: passRequestBuffer(traffic)
        }
    }
}
