import Core

/// What `/metrics` is written from, besides the shared statistics: names, and what only the controller knows.
public struct MetricsSource {
    public struct Route {
        public var name: String
        public var slot: UInt32
        public init(name: String, slot: UInt32) {
            self.name = name
            self.slot = slot
        }
    }

    public struct Endpoint {
        public var backend: String
        /// As people are shown it.
        public var address: String
        public var slot: UInt32
        public init(backend: String, address: String, slot: UInt32) {
            self.backend = backend
            self.address = address
            self.slot = slot
        }
    }

    /// What is known of an endpoint's health.
    public struct Health {
        public var backend: String
        public var address: String
        /// New requests go there.
        public var isUsable: Bool
        /// In use although the set does not name it any more.
        public var isStale: Bool
        public var ejections: UInt64
        public init(backend: String, address: String, isUsable: Bool, isStale: Bool, ejections: UInt64) {
            self.backend = backend
            self.address = address
            self.isUsable = isUsable
            self.isStale = isStale
            self.ejections = ejections
        }
    }

    public struct Certificate {
        /// `namespace/name`.
        public var secret: String
        /// Seconds since 1970.
        public var notAfter: Int64
        public init(secret: String, notAfter: Int64) {
            self.secret = secret
            self.notAfter = notAfter
        }
    }

    /// A release that watches itself.
    public struct Rollout {
        public typealias Side = (requests: UInt64, failures: UInt64)
        /// `namespace/name`.
        public var route: String
        public var rule: String
        public var phase: String
        /// The canary's, in thousandths.
        public var share: UInt32
        public var canary: Side
        public var stable: Side
        public init(route: String, rule: String, phase: String, share: UInt32, canary: Side, stable: Side) {
            self.route = route
            self.rule = rule
            self.phase = phase
            self.share = share
            self.canary = canary
            self.stable = stable
        }
    }

    /// As the supervisor's messages have them.
    public enum WorkerState: String, CaseIterable {
        case starting, serving
        case backingOff = "backing_off"
        case draining, gone
    }

    public struct Worker {
        public var index: Int
        public var state: WorkerState
        public var restarts: UInt32
        public init(index: Int, state: WorkerState, restarts: UInt32) {
            self.index = index
            self.state = state
            self.restarts = restarts
        }
    }

    /// What the rules of one policy's rate limits said.
    public struct RateLimit {
        /// `namespace/name`.
        public var policy: String
        public var allowed: UInt64
        public var limited: UInt64
        public var shadowed: UInt64
        public init(policy: String, allowed: UInt64, limited: UInt64, shadowed: UInt64) {
            self.policy = policy
            self.allowed = allowed
            self.limited = limited
            self.shadowed = shadowed
        }
    }

    /// What calls of one caller to one service had to wait.
    public struct Flow {
        /// `namespace/name`.
        public var service: String
        public var caller: String
        public var queued: UInt64
        /// Nanoseconds.
        public var delay: UInt64
        public var rejected: UInt64
        public init(service: String, caller: String, queued: UInt64, delay: UInt64, rejected: UInt64) {
            self.service = service
            self.caller = caller
            self.queued = queued
            self.delay = delay
            self.rejected = rejected
        }
    }

    /// A service of a group.
    public struct Member {
        /// `namespace/name`.
        public var name: String
        /// Workers that died of serving it.
        public var deaths: UInt64
        public var isIsolated: Bool
        public init(name: String, deaths: UInt64, isIsolated: Bool) {
            self.name = name
            self.deaths = deaths
            self.isIsolated = isIsolated
        }
    }

    /// What one authorization policy said of calls.
    public struct Authorization {
        /// `namespace/name`.
        public var policy: String
        public var outcomes: [(name: String, count: UInt64)]
        public init(policy: String, outcomes: [(name: String, count: UInt64)]) {
            self.policy = policy
            self.outcomes = outcomes
        }
    }

    public var version: String
    public var reader: StatisticsReader
    public var controller: ControllerStatistics
    public var generation: UInt64 = 0
    public var revision: UInt64 = 0
    public var unboundSockets = 0
    public var controllerRestarts: UInt32 = 0
    public var workers: [Worker] = []
    public var routes: [Route] = []
    public var endpoints: [Endpoint] = []
    public var certificates: [Certificate] = []
    /// Of endpoints that are checked.
    public var health: [Health] = []
    public var rateLimits: [RateLimit] = []
    public var flows: [Flow] = []
    public var members: [Member] = []
    public var authorizations: [Authorization] = []
    public var rollouts: [Rollout] = []
    /// All that a rollout may be in.
    public var rolloutPhases: [String] = []

    public init(version: String, reader: StatisticsReader, controller: ControllerStatistics) {
        self.version = version
        self.reader = reader
        self.controller = controller
    }
}

/// Prometheus' text exposition, version 0.0.4. Series of routes and endpoints that were never asked for are left out: a
/// gateway of 10,000 routes would otherwise spend megabytes on zeros.
public struct MetricsReport: ~Copyable {
    public static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    private static let retryReasons: [(String, Counter)] = [
        ("connect", .retriesOfConnects), ("reset", .retriesOfResets), ("timeout", .retriesOfTimeouts),
        ("status", .retriesOfStatuses), ("grpc_status", .retriesOfGRPCStatuses),
    ]
    private let source: MetricsSource
    private var out = ByteBuffer(capacity: 16 * 1024)

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

    // MARK: lines

    private mutating func sample(_ family: MetricFamily, _ value: UInt64) { sample(family, [], value) }

    private mutating func sample(_ family: MetricFamily, _ values: [String], _ value: UInt64) {
        out.append(family.name)
        labels(family, values, bound: nil)
        out.append(decimal: value)
        out.append(byte: ASCII.lf)
    }

    /// A value with a fraction, in thousand millionths.
    private mutating func sample(_ family: MetricFamily, _ values: [String], seconds nanoseconds: Int64) {
        out.append(family.name)
        labels(family, values, bound: nil)
        out.append(seconds: nanoseconds)
        out.append(byte: ASCII.lf)
    }

    private mutating func histogram(
        _ family: MetricFamily, _ values: [String], _ buckets: [UInt64], _ bounds: [Int64], _ sum: TimeAmount
    ) {
        var total: UInt64 = 0
        for (place, count) in buckets.enumerated() {
            total += count
            out.append(family.name)
            out.append("_bucket")
            labels(family, values, bound: place < bounds.count ? bounds[place] : .max)
            out.append(decimal: total)
            out.append(byte: ASCII.lf)
        }
        out.append(family.name)
        out.append("_sum")
        labels(family, values, bound: nil)
        out.append(seconds: sum.nanoseconds)
        out.append(byte: ASCII.lf)
        out.append(family.name)
        out.append("_count")
        labels(family, values, bound: nil)
        out.append(decimal: total)
        out.append(byte: ASCII.lf)
    }

    /// `{name="value",…} `, or just the space.
    private mutating func labels(_ family: MetricFamily, _ values: [String], bound: Int64?) {
        precondition(values.count == family.labels.count, "\(family.name) has other labels than it says")
        if !values.isEmpty || bound != nil {
            out.append(byte: 0x7B)
            for (name, value) in zip(family.labels, values) {
                out.append(name)
                out.append("=\"")
                value.withView { out.append(label: $0) }
                out.append("\",")
            }
            if let bound {
                out.append("le=\"")
                if bound == .max {
                    out.append("+Inf")
                } else {
                    out.append(seconds: bound)
                }
                out.append("\",")
            }
            out.truncate(1)
            out.append(byte: 0x7D)
        }
        out.append(byte: ASCII.space)
    }
}

extension ByteBuffer {
    /// A label's value: backslash, double quote and line feed escaped, as the text format says.
    mutating func append(label value: ByteView) {
        for i in value.indices {
            switch value[i] {
            case 0x22: append("\\\"")
            case 0x5C: append("\\\\")
            case ASCII.lf: append("\\n")
            default: append(byte: value[i])
            }
        }
    }

    /// Nanoseconds as seconds in decimal, without trailing zeros: `0.0005`, `2.5`, `100`.
    mutating func append(seconds nanoseconds: Int64) {
        let amount = UInt64(max(0, nanoseconds))
        append(decimal: amount / 1_000_000_000)
        let fraction = amount % 1_000_000_000
        guard fraction > 0 else { return }
        append(byte: ASCII.dot)
        append(padded: fraction / 1000, digits: 6)
        append(padded: fraction % 1000, digits: 3)
        while view[count - 1] == 0x30 { truncate(1) }
    }
}
