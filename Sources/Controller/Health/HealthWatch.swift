import Config
import Connection
import Core
import IO
import Proxy
import Routing
import Telemetry
import Upstream

/// Looks after the health of all endpoints that the published set names, once for all workers and routes: probes them, and
/// judges what workers count of their answers. What comes of it lies in the live state, where workers read it, and outlives
/// this process. Owned by the controller.
final class HealthWatch {
    /// Checks that are the same for everybody: of one endpoint, in one way, with the same settings.
    private struct CheckKey: Hashable {
        var slot: UInt32
        var plan: ActiveCheckPlan
        var transport: ProbeTransport.Identity
        /// The endpoint's own name; empty: none.
        var hostname: String
    }
    /// An endpoint that is checked or judged.
    private struct Watched {
        var backend: String
        var name: String
    }
    /// What leaves the set is forgotten so long after: workers may still serve by the last one.
    static let forgetAfter = TimeAmount.seconds(1)
    /// Probes under way; each has a descriptor. One that finds so many waits for ``probePause``, and asks again.
    static let probesAtOnce = 256
    static let probePause = TimeAmount.milliseconds(5)

    let loop: EventLoop
    let resources: ConnectionResources
    /// To endpoints that are reached through HBONE.
    let tunnels: TunnelPool
    let log: Log
    private let liveState: LiveState
    private let patterns = PatternCache()
    private let logs: CheckLogs
    private var random: SeededRandom
    private var checks: [CheckKey: EndpointCheck] = [:]
    /// By slot.
    private var watched: [UInt32: Watched] = [:]
    private var checksBySlot: [UInt32: [EndpointCheck]] = [:]
    /// Whose outcomes are looked at.
    private var judged: Set<UInt32> = []
    /// By cluster.
    private var outliers: [UInt64: OutlierWatch] = [:]
    /// Slots of the last set, whatever is done with them.
    private var named: Set<UInt32> = []
    private var forgetting: Alarm?
    /// An endpoint that was kept although it was taken away fails its checks: the set is to be published without it. Called
    /// when nothing else is under way here.
    var onStaleEnd: (() -> Void)?
    private var staleEnded: Alarm?
    private let statistics: ControllerStatistics
    /// Probes under way.
    var probesNow = 0

    init(loop: EventLoop, liveState: LiveState, statistics: ControllerStatistics, log: Log) {
        self.statistics = statistics
        self.loop = loop
        self.liveState = liveState
        self.log = log
        logs = CheckLogs(log: log)
        random = SeededRandom(seed: SystemCalls.randomSeed())
        resources = ConnectionResources(loop: loop)
        // One that has ended may not have been taken down yet.
        tunnels = .forProbes(resources, log, limit: 2 * Self.probesAtOnce)
    }

    func cell(_ slot: UInt32) -> EndpointCell { liveState.endpoint(slot) }

    // MARK: a set

    /// A set is about to be published, or is found running.
    /// - Parameter stale: addresses that only self-preservation keeps, by cluster; nil: as the live state says.
    func adopt(_ snapshot: Snapshot, stale: [String: Set<EndpointPlace>]?) {
        var wanted: [CheckKey: (ClusterConfig, EndpointConfig)] = [:]
        var passive: [UInt64: (PassiveCheckPlan, ClusterConfig)] = [:]
        var names: [UInt32: Watched] = [:]
        var present: Set<UInt32> = []
        var staleSlots: Set<UInt32> = []
        var freshSlots: Set<UInt32> = []
        let clusters = snapshot.header.pointee.clusters
        for number in 0..<Int(clusters.count) {
            let cluster = snapshot[clusters, number].pointee
            let name = snapshot.text(cluster.name).string
            let health = cluster.traffic.isEmpty ? Table() : snapshot[cluster.traffic, 0].pointee.healthCheck
            let config = health.isEmpty ? nil : snapshot[health, 0].pointee
            let active = config.flatMap {
                $0.active.isEmpty ? nil : ActiveCheckPlan(snapshot[$0.active, 0].pointee, in: snapshot)
            }
            let kept = stale?[name] ?? []
            for place in 0..<Int(cluster.endpoints.count) {
                let endpoint = snapshot[cluster.endpoints, place].pointee
                // What shares slot 0 has no health of its own.
                guard endpoint.slot != 0 else { continue }
                present.insert(endpoint.slot)
                if kept.contains(EndpointPlace(endpoint, in: snapshot)) {
                    staleSlots.insert(endpoint.slot)
                } else {
                    freshSlots.insert(endpoint.slot)
                }
                if config != nil, names[endpoint.slot] == nil {
                    names[endpoint.slot] = Watched(backend: name, name: snapshot.name(of: endpoint))
                }
                guard let active else { continue }
                let key = CheckKey(
                    slot: endpoint.slot, plan: active, transport: ProbeTransport.Identity(cluster, in: snapshot),
                    hostname: snapshot.text(endpoint.hostname).string)
                if wanted[key] == nil { wanted[key] = (cluster, endpoint) }
            }
            if let config, !config.passive.isEmpty {
                passive[cluster.identity] = (snapshot[config.passive, 0].pointee, cluster)
            }
        }
        watched.merge(names) { $1 }
        adopt(wanted, snapshot)
        adopt(passive, snapshot)
        judged = Set(outliers.values.flatMap(\.slots))
        if stale != nil { mark(stale: staleSlots.subtracting(freshSlots), among: present) }
        holdBackUntried(snapshot)
        forget(present, looked: Set(names.keys))
        logs.keep(Set(wanted.keys.compactMap { $0.plan.log?.path }))
    }

    private func adopt(_ wanted: [CheckKey: (ClusterConfig, EndpointConfig)], _ snapshot: Snapshot) {
        for (key, check) in checks where wanted[key] == nil {
            check.end()
            checks[key] = nil
            checksBySlot[key.slot]?.removeAll { $0 === check }
        }
        var transports: [ProbeTransport.Identity: ProbeTransport] = [:]
        for (key, (cluster, endpoint)) in wanted where checks[key] == nil {
            let transport = transports[key.transport] ?? ProbeTransport(cluster, in: snapshot, patterns)
            transports[key.transport] = transport
            var address = endpoint.address
            if key.plan.port != 0 { address.port = key.plan.port }
            let check = EndpointCheck(
                ProbeTarget(
                    plan: key.plan, transport: transport.named(key.hostname), address: address,
                    unixPath: snapshot.text(endpoint.unixPath).string, hostname: key.hostname), slot: key.slot,
                standing: cell(key.slot).probeState.standing ?? .pending, watch: self)
            checks[key] = check
            checksBySlot[key.slot, default: []].append(check)
            check.begin(random: random.next())
        }
        for slot in checksBySlot.keys {
            if checksBySlot[slot]?.isEmpty ?? true { checksBySlot[slot] = nil }
            settle(slot)
        }
    }

    private func adopt(_ passive: [UInt64: (PassiveCheckPlan, ClusterConfig)], _ snapshot: Snapshot) {
        for (identity, outlier) in outliers where passive[identity] == nil {
            outlier.end()
            outliers[identity] = nil
        }
        for (identity, (plan, cluster)) in passive {
            let endpoints = (0..<Int(cluster.endpoints.count)).map { snapshot[cluster.endpoints, $0].pointee }
                .filter { $0.slot != 0 }
            if let known = outliers[identity] {
                known.adopt(plan, endpoints)
            } else {
                outliers[identity] = OutlierWatch(plan, endpoints, watch: self)
            }
        }
    }

    /// New endpoints get nothing before their first probe has passed, as long as others of their cluster pass theirs.
    private func holdBackUntried(_ snapshot: Snapshot) {
        let clusters = snapshot.header.pointee.clusters
        for number in 0..<Int(clusters.count) {
            let endpoints = snapshot[clusters, number].pointee.endpoints
            let slots = (0..<Int(endpoints.count)).map { snapshot[endpoints, $0].pointee.slot }.filter { $0 != 0 }
            guard slots.contains(where: { cell($0).probeState.standing == .passing }) else { continue }
            for slot in slots where cell(slot).probeState.standing == .pending {
                cell(slot).faults.value = EndpointCell.Faults.untried.rawValue
            }
        }
    }

    // MARK: leaving

    /// Forgets, a moment later, what is known of endpoints that the set does not name any more, and what of those that are
    /// not checked any more came from checks.
    private func forget(_ present: Set<UInt32>, looked: Set<UInt32>) {
        let gone = named.subtracting(present)
        // Slow start: an endpoint that joins others begins now. Where all are new, none is.
        if !named.isEmpty {
            for slot in present.subtracting(named) where cell(slot).usableSince.value == 0 {
                cell(slot).usableSince.value = UInt64(max(1, loop.now.nanoseconds))
            }
        }
        let unjudged = Set(watched.keys).subtracting(looked)
        named = present
        guard !gone.isEmpty || !unjudged.isEmpty else { return }
        forgetting?.clear()
        let alarm = Alarm(loop) { [unowned self] in forgetNow() }
        alarm.set(after: Self.forgetAfter)
        forgetting = alarm
        leaving.formUnion(gone)
        leaving.formUnion(unjudged)
    }

    private var leaving: Set<UInt32> = []

    private func forgetNow() {
        forgetting = nil
        for slot in leaving {
            let cell = cell(slot)
            let isGone = !named.contains(slot)
            if checksBySlot[slot] == nil {
                cell.probeState = ProbeState()
                cell.faults.value = 0
            }
            if isGone || !judged.contains(slot) { cell.forgetOutcomes() }
            if isGone { cell.usableSince.value = 0 }
            if isGone || (checksBySlot[slot] == nil && !judged.contains(slot)) { watched[slot] = nil }
        }
        leaving = []
    }

    // MARK: self-preservation

    private func mark(stale: Set<UInt32>, among present: Set<UInt32>) {
        for slot in present {
            let cell = cell(slot)
            let isStale = stale.contains(slot)
            guard cell.probeState.isStale != isStale else { continue }
            cell.probeState.isStale = isStale
            if isStale {
                log.warning(
                    "most of a backend's endpoints were taken away; one that passes its checks stays in use",
                    facts(slot))
            } else {
                log.info("an endpoint that was kept in use is back in the set", facts(slot))
            }
        }
    }

    // MARK: probes

    func probed(_ check: EndpointCheck, _ outcome: ProbeOutcome, isFirstFailure: Bool, change: ProbeSeries.Standing?) {
        statistics[.healthProbes] += 1
        if outcome.result != .passed { statistics[.healthProbeFailures] += 1 }
        let slot = check.slot
        if let plan = check.target.plan.log {
            logs.write(
                plan, outcome, isFirstFailure: isFirstFailure, change: change, backend: watched[slot]?.backend ?? "",
                check.target, wallNow: loop.wallNow)
        }
        guard change != nil else { return }
        settle(slot, reason: outcome.reason)
    }

    /// Writes down what all checks of an endpoint together say.
    /// - Parameter reason: of the result that changed something.
    private func settle(_ slot: UInt32, reason: String = "") {
        guard let checks = checksBySlot[slot] else { return }
        let cell = cell(slot)
        let before = cell.probeState
        let standings = checks.map(\.series.standing)
        // A set of checks is as good as its worst.
        let standing: ProbeSeries.Standing =
            standings.contains(.failing) ? .failing : standings.contains(.pending) ? .pending : .passing
        // Before the standing: a controller that comes back takes that for done.
        if standing == .failing { cell.faults.value = EndpointCell.Faults.failedChecks.rawValue }
        if before.standing == standing { return }
        cell.probeState = ProbeState(standing: standing, isStale: before.isStale)
        switch standing {
        case .failing:
            log.warning(
                "an endpoint fails its health checks and gets no requests", facts(slot, reason))
        case .passing:
            if cell.faults.value != 0 { cell.usableSince.value = UInt64(max(1, loop.now.nanoseconds)) }
            cell.faults.value = 0
            log.info("an endpoint passes its health checks", facts(slot, reason))
        case .pending: cell.faults.value = 0
        }
        if standing == .failing, before.isStale {
            let alarm = staleEnded ?? Alarm(loop) { [unowned self] in onStaleEnd?() }
            staleEnded = alarm
            alarm.set(after: .zero)
        }
    }

    /// Why the last probe of an endpoint failed; empty: none did.
    func problem(_ slot: UInt32) -> String { checksBySlot[slot]?.first { !$0.problem.isEmpty }?.problem ?? "" }

    /// Whether the outcomes of requests are looked at.
    func isJudged(_ slot: UInt32) -> Bool { judged.contains(slot) }

    // MARK: the log

    func facts(_ slot: UInt32, _ reason: String = "") -> [(key: StaticString, value: LogValue)] {
        let name = watched[slot]
        var facts: [(key: StaticString, value: LogValue)] = [
            ("backend", .text(name?.backend ?? "")), ("endpoint", .text(name?.name ?? "")),
        ]
        if !reason.isEmpty { facts.append(("reason", .text(reason))) }
        return facts
    }
}

extension Log {
    fileprivate func info(_ text: StaticString, _ facts: [(key: StaticString, value: LogValue)]) {
        write(.info, text, facts)
    }
    fileprivate func warning(_ text: StaticString, _ facts: [(key: StaticString, value: LogValue)]) {
        write(.warning, text, facts)
    }
}
