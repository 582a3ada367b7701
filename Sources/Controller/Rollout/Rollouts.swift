import Config
import Core
import IO
import Manifest
import Telemetry
import Upstream

/// The releases of the running set that watch themselves: looks at what both sides have served, moves the weights, and
/// keeps how far each has come. Workers read the weights from the live state, so nothing is published for it.
final class Rollouts: Timed {
    /// Between two looks at the counters. How often does not change the error bounds, only how soon a bad canary goes.
    static let pause = TimeAmount.milliseconds(200)
    /// What is kept in shared memory may be behind by one look; the file, while nothing but counts changes, by this.
    static let filePause = TimeAmount.seconds(10)

    /// One rule's release.
    struct Watched {
        var route: ResourceName
        /// The rule's name, or its number.
        var rule: String
        var canaryName: String
        var stableName: String
        var config: RolloutConfig
        var machine: RolloutMachine
        /// What each worker's counters said at the last look.
        fileprivate var seenCanary: [RolloutTally]
        fileprivate var seenStable: [RolloutTally]
    }

    private(set) var watched: [Watched] = []
    private unowned let controller: Controller
    private let path: String?
    /// What the state file said when the controller began; each entry is taken up once.
    private var remembered: [RolloutFile.Entry] = []
    private var nextFileWrite = Instant(nanoseconds: 0)
    private var fileIsBehind = false

    init(_ controller: Controller) {
        self.controller = controller
        path = controller.options.stateDirectory.map { "\($0)/\(RolloutFile.name)" }
        super.init()
        guard let path else { return }
        do throws(Errno) {
            guard let octets = try DurableFile.read(path, limit: RolloutFile.limit) else { return }
            if let entries = RolloutFile.entries(octets) {
                remembered = entries
            } else {
                controller.log.error(
                    "the state of rollouts cannot be read; they begin anew", ["file": .text(path)])
            }
        } catch {
            controller.log.error(
                "the state of rollouts cannot be read; they begin anew",
                ["file": .text(path), "error": .text(error.description)])
        }
    }

    // MARK: a new set

    /// A set is about to be published: what goes on from before has its share in force when the first worker asks.
    func prepare(_ set: LiveSet) {
        for found in Self.find(set) {
            guard let state = state(of: found.config), state.specHash == found.plan.specHash,
                let machine = RolloutMachine(found.plan, resuming: state)
            else { continue }
            putInForce(machine, found.config)
        }
    }

    /// A set is live in all workers, or a controller has come back to one. What the set does not name any more is forgotten:
    /// written again, it begins anew.
    func adopt(_ set: LiveSet) {
        // Without a resolution nothing is known of the set's plans, and nothing is forgotten.
        guard set.resolution != nil else { return }
        let now = controller.loop.wallNow
        var next: [Watched] = []
        for found in Self.find(set) where !next.contains(where: { $0.config.canarySlot == found.config.canarySlot }) {
            var watched = Watched(
                route: found.route, rule: found.rule, canaryName: found.canaryName, stableName: found.stableName,
                config: found.config, machine: RolloutMachine(found.plan, at: now),
                seenCanary: tallies(found.config.canarySlot), seenStable: tallies(found.config.stableSlot))
            if let state = state(of: found.config), let machine = RolloutMachine(found.plan, resuming: state) {
                watched.machine = machine
                // The same controller goes on with its looks; a new one begins with what it finds.
                if let known = self.watched.first(where: { $0.config.canarySlot == found.config.canarySlot }),
                    known.config.stableSlot == found.config.stableSlot
                {
                    watched.seenCanary = known.seenCanary
                    watched.seenStable = known.seenStable
                } else {
                    var facts = facts(watched)
                    facts.append(("phase", .text(state.phase.word)))
                    controller.log.write(.info, "a rollout is taken up", facts)
                }
            } else {
                controller.log.write(.info, "a rollout begins", facts(watched))
                if path == nil {
                    controller.log.info(
                        "rollouts are kept while the gateway runs; --state-dir keeps them over a restart")
                }
            }
            putInForce(watched.machine, watched.config)
            next.append(watched)
        }
        for old in watched where !next.contains(where: { $0.config.canarySlot == old.config.canarySlot }) {
            BackendRefCell(controller.liveState, old.config.canarySlot).forget()
        }
        let isChanged = !watched.isEmpty || !next.isEmpty || !remembered.isEmpty
        watched = next
        remembered = []
        if isChanged { writeFile() }
        arm()
    }

    private struct Found {
        var route: ResourceName
        var rule: String
        var canaryName: String
        var stableName: String
        var plan: RolloutPlan
        var config: RolloutConfig
    }

    /// The rollouts of a set, its plans beside their records.
    private static func find(_ set: LiveSet) -> [Found] {
        guard let resolution = set.resolution else { return [] }
        let snapshot = set.snapshot
        let rules = snapshot.header.pointee.rules
        var found: [Found] = []
        var number = 0
        for route in resolution.plan.routes {
            for (index, rule) in route.rules.enumerated() {
                defer { number += 1 }
                guard let plan = rule.traffic.rollout, number < Int(rules.count) else { continue }
                let record = snapshot[rules, number].pointee
                guard !record.traffic.isEmpty else { continue }
                let release = snapshot[record.traffic, 0].pointee.release
                guard !release.isEmpty, !snapshot[release, 0].pointee.rollout.isEmpty else { continue }
                found.append(
                    Found(
                        route: ResourceName(namespace: route.namespace, name: route.name),
                        rule: rule.name.isEmpty ? "\(index)" : rule.name,
                        canaryName: rule.backends[plan.canary].name, stableName: rule.backends[plan.stable].name,
                        plan: plan, config: snapshot[snapshot[release, 0].pointee.rollout, 0].pointee))
            }
        }
        return found
    }

    /// As shared memory has it, or the state file.
    private func state(of config: RolloutConfig) -> RolloutState? {
        let cell = BackendRefCell(controller.liveState, config.canarySlot)
        return cell.state ?? remembered.first { $0.identity == config.identity }?.state
    }

    private func putInForce(_ machine: RolloutMachine, _ config: RolloutConfig) {
        let cell = BackendRefCell(controller.liveState, config.canarySlot)
        cell.setShare(machine.canaryShare, specHash: config.specHash)
        cell.keep(machine.state)
    }

    // MARK: looking

    override func deadlinePassed(now: Instant) {
        var isChanged = false
        for index in watched.indices where !watched[index].machine.isOver {
            let (canary, stable) = take(index)
            let before = watched[index].machine.state
            let outcome = watched[index].machine.observe(canary: canary, stable: stable, at: controller.loop.wallNow)
            putInForce(watched[index].machine, watched[index].config)
            if outcome == .changed {
                isChanged = true
                // What a step waits for is for who asks; the log has what happened.
                let state = watched[index].machine.state
                if state.phase != before.phase || state.step != before.step { tell(watched[index]) }
            }
            if canary.requests + stable.requests > 0 { fileIsBehind = true }
        }
        if isChanged || (fileIsBehind && now >= nextFileWrite) { writeFile() }
        arm()
    }

    private func arm() {
        if watched.contains(where: { !$0.machine.isOver }) {
            controller.loop.setDeadline(self, controller.loop.now + Self.pause)
        } else {
            controller.loop.clearDeadline(self)
        }
    }

    /// What has come since the last look, of all workers.
    private func take(_ index: Int) -> (canary: RolloutTally, stable: RolloutTally) {
        var canary = RolloutTally()
        var stable = RolloutTally()
        let (ours, theirs) = (tallies(watched[index].config.canarySlot), tallies(watched[index].config.stableSlot))
        for worker in ours.indices {
            canary.add(ours[worker].since(watched[index].seenCanary[worker]))
            stable.add(theirs[worker].since(watched[index].seenStable[worker]))
        }
        watched[index].seenCanary = ours
        watched[index].seenStable = theirs
        return (canary, stable)
    }

    private func tallies(_ slot: UInt32) -> [RolloutTally] {
        let cell = BackendRefCell(controller.liveState, slot)
        return (0..<max(1, controller.workerCount)).map { cell.tally(worker: $0) }
    }

    // MARK: telling and keeping

    private func tell(_ watched: Watched) {
        var facts = facts(watched)
        facts.append(("why", .text(watched.why)))
        switch watched.machine.state.phase {
        case .rolledBack: controller.log.write(.error, "a rollout was rolled back", facts)
        case .completed: controller.log.write(.info, "a rollout is complete", facts)
        case .holding: controller.log.write(.warning, "a rollout waits", facts)
        case .progressing: controller.log.write(.info, "a rollout goes on", facts)
        }
    }

    private func facts(_ watched: Watched) -> [(key: StaticString, value: LogValue)] {
        [
            ("route", .text("\(watched.route)")), ("rule", .text(watched.rule)),
            ("canary", .text(watched.canaryName)), ("share", .text(watched.shareText)),
        ]
    }

    private func writeFile() {
        fileIsBehind = false
        nextFileWrite = controller.loop.now + Self.filePause
        guard let path else { return }
        let entries = watched.map {
            RolloutFile.Entry(
                identity: $0.config.identity, route: "\($0.route)", rule: $0.rule, state: $0.machine.state)
        }
        do throws(Errno) {
            let text = RolloutFile.text(entries)
            try DurableFile.write(text.view, to: path)
        } catch {
            controller.log.error(
                "the state of rollouts cannot be kept", ["file": .text(path), "error": .text(error.description)])
        }
    }
}
