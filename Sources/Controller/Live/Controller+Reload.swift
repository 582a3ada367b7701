import Config
import Core
import Glibc
import IO
import Manifest
import Telemetry

// From a wish to reload to a set that all workers serve.
extension Controller {
    /// A set that names hosts nobody has looked up yet waits this long for answers before it is published without them.
    static let namesPatience = TimeAmount.milliseconds(1000)
    /// Findings that a refused reload writes to the log; `/api/config` has all of them.
    static let loggedFindings = 50

    /// Loads the manifests again. Attempts under way are finished first; all that are asked for meanwhile become one.
    func reload(_ trigger: ReloadTrigger, _ listener: ((ReloadOutcome) -> Void)? = nil) {
        guard !isDraining else {
            let outcome = ReloadOutcome(
                trigger: trigger, at: loop.wallNow, generation: live?.generation ?? 0, isApplied: false,
                message: "the gateway is draining", findings: [])
            listener?(outcome)
            return
        }
        guard attempt == nil, namesRevision == nil else {
            waiting.append((trigger, listener))
            return
        }
        statistics[.reloads] += 1
        let files = trigger == .files ? loadedFiles : nil
        load(files ?? ManifestFiles(reading: options.paths), trigger, listener)
    }

    private func load(
        _ files: ManifestFiles, _ trigger: ReloadTrigger, _ listener: ((ReloadOutcome) -> Void)?
    ) {
        let load = ManifestLoad(files, previous: memory)
        let attempt = Attempt(load, trigger: trigger, controller: self, listeners: listener.map { [$0] } ?? [])
        self.attempt = attempt
        if let refusal = load.refusal { return refuse(attempt, "\(refusal.text)") }
        do throws(Errno) {
            attempt.deposit = try Deposit.seal(
                files, followed: load.resolution.followedFiles, loadedAt: loop.wallNow)
        } catch {
            return refuse(attempt, "the manifests' text could not be kept in memory: \(error)")
        }
        bind(attempt)
    }

    // MARK: sockets

    private func bind(_ attempt: Attempt) {
        // One that is bound may not be transparent yet; asking once more costs nothing.
        let wanted = attempt.load.resolution.plan.sockets.map(\.listeningAddress).filter {
            bound[$0] == nil || $0.isTransparent
        }
        attempt.onBound = { [unowned self, unowned attempt] in bound(attempt) }
        guard !wanted.isEmpty else { return bound(attempt) }
        attempt.unanswered = wanted.count
        var rest = wanted[...]
        while !rest.isEmpty {
            link.send(.bind(Array(rest.prefix(ControllerRequest.addressLimit))))
            rest = rest.dropFirst(ControllerRequest.addressLimit)
        }
    }

    private func bound(_ attempt: Attempt) {
        if !attempt.failures.isEmpty {
            attempt.load.resolve(bindFailures: attempt.failures, previous: memory)
        }
        names.want(attempt.load.resolution.plan.names)
        names.whenAnswered(atMost: Self.namesPatience) { [unowned self, weak attempt] in
            // A drain may have begun meanwhile.
            if let attempt { publish(attempt) }
        }
    }

    // MARK: the snapshot

    private func publish(_ attempt: Attempt) {
        let generation = (live?.generation ?? 0) + 1
        do throws(PublishFailure) {
            var (set, fd) = try seal(attempt.load.resolution, generation: generation, hash: attempt.load.hash)
            set.unbound = Array(attempt.failures.keys)
            set.deposit = attempt.deposit
            attempt.candidate = set
            rollouts.prepare(set)
            send(set, fd)
        } catch {
            refuse(attempt, error.description)
        }
    }

    private func send(_ set: LiveSet, _ snapshot: SharedFD) {
        tellCentral(set)
        link.send(
            .publish(
                Publication(
                    generation: set.generation, revision: set.revision, snapshot: snapshot, sockets: set.sockets,
                    deposit: set.deposit)))
    }

    /// Where connections go while the whole family is gone, for the guard; what is known is not told again.
    private func tellCentral(_ set: LiveSet) {
        var central: [SocketAddress: [SocketAddress]] = [:]
        for socket in set.resolution?.plan.sockets ?? [] where socket.transport == .tcp {
            central[socket.address] = names.addresses(of: socket.central)
        }
        for (address, gateways) in central where centralTold[address] != gateways {
            link.send(.central(address, gateways))
        }
        centralTold = central
    }

    /// Builds and seals the block of a resolution, with what its names stand for at the moment.
    private func seal(
        _ resolution: Resolution, generation: UInt64, hash: UInt64
    ) throws(PublishFailure) -> (set: LiveSet, snapshot: SharedFD) {
        var plan = resolution.plan
        plan.sockets.removeAll { bound[$0.listeningAddress] == nil }
        plan.zone = options.zone
        names.complete(&plan) { try? HostAddresses() }
        let stale = preserve(&plan)
        let ids = plan.sockets.compactMap { bound[$0.listeningAddress] }
        revision += 1
        let fd: SharedFD
        let mapped: SealedBlock
        do {
            let block = try SnapshotBuilder.buildBlock(
                plan, generation: generation, revision: revision, sourceHash: hash, socketIDs: ids,
                slots: slots)
            liveState.note(endpointsUsed: endpointSlots.used)
            let bytes = block.bytes
            fd = try SealedBlock.make("sluice-snapshot", UnsafeRawBufferPointer(start: bytes.base, count: bytes.count))
            mapped = try SealedBlock(fd.raw)
        } catch let error as SnapshotBuildError {
            throw PublishFailure(description: error.description)
        } catch {
            throw PublishFailure(description: "the snapshot could not be placed in shared memory: \(error)")
        }
        let set = LiveSet(
            resolution: resolution, generation: generation, revision: revision, hash: hash, loadedAt: loop.wallNow,
            block: mapped, sockets: ids, deposit: nil, unbound: [])
        // Before any worker has it: what is new is not used untried.
        health.adopt(set.snapshot, stale: stale)
        return (set, fd)
    }

    func published(generation: UInt64, revision: UInt64) {
        if revision == namesRevision {
            namesRevision = nil
            return goOn()
        }
        guard let attempt, let set = attempt.candidate, set.revision == revision else { return }
        live = set
        // The supervisor closes what this set does not use.
        let used = Set(set.sockets)
        bound = bound.filter { used.contains($0.value) }
        memory = attempt.load.resolution.memory
        rollouts.adopt(set)
        followFiles()
        statistics[.loadedAt] = UInt64(max(0, set.loadedAt / 1_000_000_000))
        let findings = attempt.load.findings
        for finding in findings.prefix(Self.loggedFindings) {
            log.warning("in the manifests", ["finding": .text(finding.description)])
        }
        let took = SystemCalls.monotonicNow() - attempt.began
        log.info(
            "configuration is live",
            [
                "generation": LogValue(generation), "trigger": .text(attempt.trigger.rawValue),
                "sockets": LogValue(set.sockets.count), "routes": LogValue(set.snapshot.header.pointee.routes.count),
                "findings": LogValue(findings.count), "unbound": LogValue(set.unbound.count),
                "ms": LogValue(took.milliseconds),
            ])
        finish(attempt, isApplied: true, "the set is live in all workers")
    }

    // MARK: the end of an attempt

    private func refuse(_ attempt: Attempt, _ reason: String) {
        statistics[.reloadFailures] += 1
        names.want(live?.resolution?.plan.names ?? [])
        let unused = attempt.fresh.compactMap { bound.removeValue(forKey: $0) }
        if !unused.isEmpty { link.send(.release(unused)) }
        let findings = attempt.load.findings
        guard live != nil else {
            // Nothing runs yet: the user sits before the terminal and gets the findings as `check` prints them.
            for finding in findings { StandardError.line(finding.description) }
            log.error("the gateway does not start", ["reason": .text(reason)])
            return exit(RoleExit.refused)
        }
        log.error(
            "reload refused; the running configuration is unchanged",
            ["reason": .text(reason), "trigger": .text(attempt.trigger.rawValue), "findings": LogValue(findings.count)])
        for finding in findings.prefix(Self.loggedFindings) where finding.isError {
            log.error("in the manifests", ["finding": .text(finding.description)])
        }
        finish(attempt, isApplied: false, reason)
    }

    /// A drain has begun: nobody answers an attempt any more. Those who wait are told.
    func abandonAttempt() {
        let listeners = (attempt?.listeners ?? []) + waiting.compactMap(\.1)
        attempt = nil
        waiting = []
        names.want([])
        let outcome = ReloadOutcome(
            trigger: .request, at: loop.wallNow, generation: live?.generation ?? 0, isApplied: false,
            message: "the gateway is draining", findings: [])
        for listener in listeners { listener(outcome) }
    }

    private func finish(_ attempt: Attempt, isApplied: Bool, _ message: String) {
        let outcome = ReloadOutcome(
            trigger: attempt.trigger, at: loop.wallNow, generation: live?.generation ?? 0, isApplied: isApplied,
            message: message, findings: attempt.load.findings)
        lastOutcome = outcome
        self.attempt = nil
        for listener in attempt.listeners { listener(outcome) }
        SystemCalls.trimMemory()
        statistics[.memoryNow] = ProcessUse.privateMemory ?? 0
        goOn()
    }

    /// What waited for the end of an attempt.
    private func goOn() {
        guard attempt == nil, namesRevision == nil else { return }
        if !waiting.isEmpty {
            let asked = waiting
            waiting = []
            // Whoever asks for the manifests as they are now gets more than files alone.
            reload(asked.first { $0.0 != .files }?.0 ?? .files, nil)
            // Refused at once: there is no attempt left to wait for.
            if let attempt {
                attempt.listeners += asked.compactMap(\.1)
            } else if let lastOutcome {
                for case let listener? in asked.map(\.1) { listener(lastOutcome) }
            }
        } else if namesAreStale {
            namesChanged()
        }
    }

    // MARK: names

    /// Addresses behind a name have changed, or an endpoint that was kept in use has gone: the same set of manifests, with
    /// other endpoints.
    func namesChanged() {
        guard attempt == nil, namesRevision == nil else {
            namesAreStale = true
            return
        }
        namesAreStale = false
        guard let live, let resolution = live.resolution else { return }
        do throws(PublishFailure) {
            var (set, fd) = try seal(resolution, generation: live.generation, hash: live.hash)
            set.loadedAt = live.loadedAt
            set.unbound = live.unbound
            set.deposit = live.deposit
            self.live = set
            rollouts.adopt(set)
            namesRevision = set.revision
            statistics[.dnsUpdates] += 1
            send(set, fd)
        } catch {
            log.error("changed addresses of backends could not be published", ["reason": .text(error.description)])
        }
    }
}

private struct PublishFailure: Error {
    let description: String
}

extension GatewayPlan {
    /// What DNS is asked about backends.
    var names: Set<BackendNames.Question> { Set(clusters.flatMap { $0.dnsNames.map(BackendNames.Question.init) }) }
}

/// Lines for the person who started the gateway, as `check` prints them.
enum StandardError {
    static func line(_ text: String) {
        let octets = Array((text + "\n").utf8)
        var done = 0
        while done < octets.count {
            let result = octets.withUnsafeBytes { write(2, $0.baseAddress! + done, octets.count - done) }
            if result < 0, errno != EINTR { return }
            done += max(0, result)
        }
    }
}
