import Config
import Core
import Telemetry
import Upstream

/// What a policy says of outcomes at a cluster's endpoints (`healthCheck.passive`), and this worker's part in it: it counts,
/// ejects after so many failures in a row, and lets one request find out whether an ejected endpoint is well again. All of it
/// lies in the live state, so what one worker finds out holds for all. Owned by the cluster.
final class ClusterOutliers {
    /// Between two looks for endpoints whose ejection is over, so that a request does not pay for the size of its cluster.
    static let lookPause = TimeAmount.milliseconds(10)

    let plan: PassiveCheckPlan
    private let name: String
    private let worker: Worker
    private var nextLook = Instant(nanoseconds: 0)

    /// Nil: no policy looks at outcomes.
    init?(_ config: ClusterConfig, in snapshot: Snapshot, worker: Worker) {
        guard !config.traffic.isEmpty else { return nil }
        let health = snapshot[config.traffic, 0].pointee.healthCheck
        guard !health.isEmpty else { return nil }
        let passive = snapshot[health, 0].pointee.passive
        guard !passive.isEmpty else { return nil }
        plan = snapshot[passive, 0].pointee
        name = snapshot.text(config.name).string
        self.worker = worker
    }

    /// An endpoint whose ejection is over: the caller's request goes there, whose outcome decides. Nil: none, as nearly
    /// always.
    func probation(of endpoints: [Endpoint]) -> Endpoint? {
        let now = worker.loop.now
        guard now >= nextLook else { return nil }
        nextLook = now + Self.lookPause
        for endpoint in endpoints where endpoint.slot != 0 {
            let cell = worker.liveState.endpoint(endpoint.slot)
            // One that fails its probes need not be tried.
            if cell.isEjected, cell.faults.value == 0, cell.beginProbation(now: now) { return endpoint }
        }
        return nil
    }

    /// An attempt at one of the endpoints is over.
    func note(_ outcome: AttemptOutcome, at endpoint: Endpoint, of endpoints: [Endpoint]) {
        // What shares slot 0 has no health of its own.
        guard endpoint.slot != 0 else { return }
        let cell = worker.liveState.endpoint(endpoint.slot)
        switch cell.note(outcome, plan) {
        case .nothing: break
        case .excessive(let cause): eject(endpoint, cell, cause, endpoints)
        case .isBack:
            cell.usableSince.value = UInt64(max(1, worker.loop.now.nanoseconds))
            worker.log.info(
                "an ejected endpoint is back", ["backend": .text(name), "endpoint": .init(endpoint.address)])
        }
    }

    private func eject(_ endpoint: Endpoint, _ cell: EndpointCell, _ cause: EjectionCause, _ endpoints: [Endpoint]) {
        let others = endpoints.filter { $0.slot != endpoint.slot && $0.slot != 0 }
            .map { worker.liveState.endpoint($0.slot) }
        guard let length = cell.eject(plan, cause: cause, others: others, now: worker.loop.now) else { return }
        worker.log.warning(
            "an endpoint is ejected",
            [
                "backend": .text(name), "endpoint": .init(endpoint.address), "cause": .init("\(cause.text)"),
                "seconds": .text(length.decimalSeconds), "ejections": .init(cell.ejectionHistory.total),
            ])
    }
}

extension Exchange {
    /// Somebody judges a call by its own status, not by HTTP's.
    var wantsGRPCStatus: Bool { isGRPC && (limits.awaitsOutcome || cluster?.outliers != nil) }

    /// Tells how an attempt ended, if a policy wants to know.
    @inline(__always) func noteOutcome(_ outcome: AttemptOutcome, at endpoint: Endpoint) {
        if let cluster, let outliers = cluster.outliers {
            outliers.note(outcome, at: endpoint, of: cluster.endpoints)
        }
    }

    /// A final response's head has come. A response may last for hours: what its status says is told now. A call of gRPC says
    /// it at its end.
    @inline(__always) func noteHead(_ status: UInt16) {
        guard let cluster, let outliers = cluster.outliers, !isGRPC, let endpoint else { return }
        outcomeIsTold = true
        outliers.note(AttemptOutcome(status: status), at: endpoint, of: cluster.endpoints)
    }

    /// An attempt is over: what its head has not told. One that breaks within its response counts for that, too.
    @inline(__always) func noteEnd(_ outcome: AttemptOutcome, at endpoint: Endpoint) {
        let isTold = outcomeIsTold
        outcomeIsTold = false
        if !isTold || outcome == .localOrigin { noteOutcome(outcome, at: endpoint) }
    }
}

extension AttemptOutcome {
    /// What the end of an attempt says of its endpoint. A call of gRPC is judged by its own status, where the head tells it,
    /// as the status of HTTP that it stands for (Envoy).
    init(_ end: AttemptEnd) {
        switch end {
        case .response(let status, let grpcStatus):
            self.init(status: grpcStatus > 0 ? Self.status(of: grpcStatus) : status)
        case .failed: self = .localOrigin
        case .abandoned: self = .unknown
        }
    }

    /// What counts against an endpoint: unknown, internal and data loss; unavailable; the deadline.
    private static func status(of grpcStatus: Int8) -> UInt16 {
        switch grpcStatus {
        case 2, 13, 15: 500
        case 14: 503
        case 4: 504
        default: 200
        }
    }
}
