import Core

/// Prometheus' text exposition, version 0.0.4. Series of routes and endpoints that were never asked for are left out: a
/// gateway of 10,000 routes would otherwise spend megabytes on zeros.
public struct MetricsReport: ~Copyable {
    public static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    private static let retryReasons: [(String, Counter)] = [
        ("connect", .retriesOfConnects), ("reset", .retriesOfResets), ("timeout", .retriesOfTimeouts),
        ("status", .retriesOfStatuses), ("grpc_status", .retriesOfGRPCStatuses),
    ]
    private let source: MetricsSource
    var out = ByteBuffer(capacity: 16 * 1024)

    public static func write(_ source: MetricsSource) -> ByteBuffer {
        var report = MetricsReport(source)
        for family in MetricFamily.all { report.write(family) }
        return report.finish()
    }

    private init(_ source: MetricsSource) { self.source = source }
    private consuming func finish() -> ByteBuffer { out }

    private mutating func write(_ family: MetricFamily) {
        out.append("# HELP ")
        out.append(family.name)
        out.append(byte: ASCII.space)
        // Backslash and line feed would need escapes here; the table has neither.
        out.append(family.help)
        out.append("\n# TYPE ")
        out.append(family.name)
        out.append(byte: ASCII.space)
        out.append(string: family.kind.rawValue)
        out.append(byte: ASCII.lf)
        writeSamples(family)
    }

    private mutating func writeSamples(_ family: MetricFamily) {
        let reader = source.reader
        switch family.origin {
        case .counter(let counter): sample(family, reader.total(counter))
        case .eachWorker(let counter):
            for worker in 0..<reader.workers {
                sample(family, ["\(worker)"], reader.value(counter, worker: worker))
            }
        case .controller(let counter): sample(family, source.controller[counter])
        case .build: sample(family, [source.version], 1)
        case .generation: sample(family, source.generation)
        case .revision: sample(family, source.revision)
        case .unboundSockets: sample(family, UInt64(source.unboundSockets))
        case .rateLimits:
            for limit in source.rateLimits {
                sample(family, [limit.policy, "allowed"], limit.allowed)
                sample(family, [limit.policy, "limited"], limit.limited)
                sample(family, [limit.policy, "shadowed"], limit.shadowed)
            }
        case .flowsQueued:
            for flow in source.flows { sample(family, [flow.service, flow.caller], flow.queued) }
        case .flowsDelay:
            for flow in source.flows {
                sample(family, [flow.service, flow.caller], seconds: Int64(clamping: flow.delay))
            }
        case .flowsRejected:
            for flow in source.flows { sample(family, [flow.service, flow.caller], flow.rejected) }
        case .memberDeaths:
            for member in source.members where member.deaths > 0 { sample(family, [member.name], member.deaths) }
        case .membersIsolated:
            for member in source.members where member.deaths > 0 {
                sample(family, [member.name], member.isIsolated ? 1 : 0)
            }
        case .authorizations:
            for policy in source.authorizations {
                for outcome in policy.outcomes { sample(family, [policy.policy, outcome.name], outcome.count) }
            }
        case .certificates:
            for certificate in source.certificates {
                sample(family, [certificate.secret], UInt64(max(0, certificate.notAfter)))
            }
        case .healthy:
            for each in source.health { sample(family, [each.backend, each.address], each.isUsable ? 1 : 0) }
        case .ejections:
            for each in source.health { sample(family, [each.backend, each.address], each.ejections) }
        case .stale: sample(family, UInt64(source.health.count { $0.isStale }))
        case .rolloutShares:
            for rollout in source.rollouts {
                let values = [rollout.route, rollout.rule]
                sample(family, values, seconds: Int64(rollout.share) * 1_000_000)
            }
        case .rolloutPhases:
            for rollout in source.rollouts {
                for phase in source.rolloutPhases {
                    sample(family, [rollout.route, rollout.rule, phase], phase == rollout.phase ? 1 : 0)
                }
            }
        case .rolloutRequests:
            for rollout in source.rollouts {
                sample(family, [rollout.route, rollout.rule, "canary"], rollout.canary.requests)
                sample(family, [rollout.route, rollout.rule, "stable"], rollout.stable.requests)
            }
        case .rolloutFailures:
            for rollout in source.rollouts {
                sample(family, [rollout.route, rollout.rule, "canary"], rollout.canary.failures)
                sample(family, [rollout.route, rollout.rule, "stable"], rollout.stable.failures)
            }
        case .workerStates:
            for state in MetricsSource.WorkerState.allCases {
                let count = source.workers.count { $0.state == state }
                sample(family, [state.rawValue], UInt64(count))
            }
        case .workerRestarts:
            for worker in source.workers { sample(family, ["\(worker.index)"], UInt64(worker.restarts)) }
        case .controllerRestarts: sample(family, UInt64(source.controllerRestarts))
        case .statusClasses:
            for place in 0..<StatisticsLayout.statusClasses {
                sample(family, [place == 0 ? "none" : "\(place)xx"], reader.requests(statusClass: place))
            }
        case .reasons:
            for reason in ReasonCode.allCases { sample(family, ["\(reason.text)"], reader.requests(reason)) }
        case .relayReasons:
            for reason in ReasonCode.allCases { sample(family, ["\(reason.text)"], reader.relays(reason)) }
        case .egressDenials:
            for each in reader.denials { sample(family, [each.host, each.caller], each.count) }
        case .retryReasons:
            for (reason, counter) in Self.retryReasons { sample(family, [reason], reader.total(counter)) }
        case .durations:
            histogram(family, [], reader.durationBuckets, DurationHistogram.bounds, reader.durationSum)
        case .routes(let value):
            slot(family, value, [""], reader.slot(.route, 0))
            for route in source.routes where route.slot != 0 {
                slot(family, value, [route.name], reader.slot(.route, route.slot))
            }
        case .endpoints(let value):
            slot(family, value, ["", ""], reader.slot(.endpoint, 0))
            for endpoint in source.endpoints where endpoint.slot != 0 {
                slot(
                    family, value, [endpoint.backend, endpoint.address.description],
                    reader.slot(.endpoint, endpoint.slot))
            }
        }
    }

    /// The series of one route or endpoint; none when nothing was ever counted there.
    private mutating func slot(
        _ family: MetricFamily, _ value: MetricFamily.SlotValue, _ labels: [String], _ slot: StatisticsReader.Slot
    ) {
        switch value {
        case .requests:
            for (place, count) in slot.classes.enumerated() where count > 0 {
                sample(family, labels + [place == 0 ? "none" : "\(place + 1)xx"], count)
            }
        case .durations:
            if slot.requests > 0 { histogram(family, labels, slot.buckets, SlotCounters.bounds, slot.durationSum) }
        case .requestBytes: if slot.requests > 0 { sample(family, labels, slot.requestBytes) }
        case .responseBytes: if slot.requests > 0 { sample(family, labels, slot.responseBytes) }
        case .connections: if slot.connections > 0 { sample(family, labels, slot.connections) }
        case .connectFailures: if slot.connectFailures > 0 { sample(family, labels, slot.connectFailures) }
        }
    }
}
