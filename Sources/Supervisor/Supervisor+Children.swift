import Core
import Glibc
import IO

// Starting what is not there, and what to do about a death.
extension Supervisor {
    func startController() {
        var inherited = [(liveState, InheritedFD.liveState), (statistics, InheritedFD.statistics)]
        if let adminSocket { inherited.append((adminSocket, InheritedFD.admin)) }
        guard start(controller, inherited) else { return }
        // Sockets that are to be closed as soon as the current publication is live everywhere are no offer.
        let retired = Set(current.map { sockets.retired(by: $0) } ?? [])
        let bound = sockets.all.filter { binding in
            if case .bound(let id) = binding.outcome { !retired.contains(id) } else { true }
        }
        controller.send(
            .hello(
                ControllerHello(
                    workers: UInt16(workers.count), restarts: controller.restarts, bound: bound, current: current)))
        if case .serving = phase {} else { tellOfDrain() }
        tellOfWorkers()
    }

    func startWorker(_ index: Int) {
        workers[index].isReady = false
        workers[index].sockets = []
        workers[index].revision = 0
        let seat = workers[index].seat
        var inherited = [(liveState, InheritedFD.liveState), (statistics, InheritedFD.statistics)]
        if let isolation { inherited.append((isolation, InheritedFD.isolation)) }
        guard start(seat, inherited) else { return }
        // All it needs lies in its link before it runs its first instruction, controller or not.
        if let current { hand(current, to: index) }
        tellOfWorkers()
    }

    private func start<Report, Order>(
        _ seat: Seat<Report, Order>, _ inherited: [(SharedFD, CInt)]
    ) -> Bool {
        do throws(Errno) {
            try seat.start(
                executable: plan.executable, arguments: plan.arguments(seat.role, identity),
                inherited: inherited.map { (fd: $0.0, number: $0.1) })
            return true
        } catch {
            tell(
                Notice(
                    .error, "cannot start a process", [("process", seat.role.title), ("reason", error.description)]))
            seat.wait(Limits.spawnRetry, loop.now)
            return false
        }
    }

    func workerDue(_ index: Int) {
        let seat = workers[index].seat
        if seat.isRunning {
            end(seat, because: "it did not take over a snapshot in time")
        } else {
            startWorker(index)
        }
    }

    func workerDied(_ index: Int, _ death: Death) {
        let seat = workers[index].seat
        let pid = seat.pid ?? 0
        seat.ended(death)
        let wasReady = workers[index].isReady
        workers[index].isReady = false
        workers[index].revision = 0
        switch phase {
        case .serving, .drainDelay:
            tell(notice(of: "worker died", seat, pid))
            if !anyWorkerWasReady, !wasReady, death == .exited(code: UInt8(RoleExit.unable)) {
                seat.abandon()
                return quit(code: 1)
            }
            let delay = seat.nextStartDelay(now: loop.now)
            if delay == .zero {
                startWorker(index)
            } else {
                // Its successor would clear it first of all; until then it would count against everybody else's limits.
                forget(index)
                tell(
                    Notice(
                        .error, "a worker keeps dying and is started later",
                        [("worker", "\(index)"), ("milliseconds", "\(delay.milliseconds)")]))
            }
        case .draining:
            if death != .exited(code: UInt8(RoleExit.done)) { tell(notice(of: "worker died", seat, pid)) }
            forget(index)
            drainedPerhaps()
        case .quitting: break
        }
        answerPublications()
        tellOfWorkers()
    }

    /// What a worker held went with it.
    private func forget(_ index: Int) {
        guard let workerEnded = plan.workerEnded else { return }
        do throws(Errno) {
            if liveMemory == nil { liveMemory = try SharedMemory.map(liveState.raw) }
        } catch {
            tell(Notice(.warning, "what a dead worker held counts until its next start", [("reason", "\(error)")]))
        }
        if let liveMemory { workerEnded(liveMemory, index) }
    }

    func controllerDied(_ death: Death) {
        let pid = controller.pid ?? 0
        controller.ended(death)
        if case .quitting = phase { return }
        if current == nil {
            // Findings and reasons were printed by the one who found them.
            if [RoleExit.refused, RoleExit.unable].contains(where: { death == .exited(code: UInt8($0)) }) {
                return quit(code: 1)
            }
            if controller.starts >= Limits.deathsBeforeFirstPublication {
                tell(notice(of: "the controller died again before any configuration was live", controller, pid))
                return quit(code: 1)
            }
        }
        tell(notice(of: "controller died", controller, pid))
        unanswered = []
        let delay = controller.nextStartDelay(now: loop.now)
        if delay == .zero {
            startController()
        } else {
            tell(
                Notice(
                    .error, "the controller keeps dying and is started later; workers go on with what they have",
                    [("milliseconds", "\(delay.milliseconds)")]))
        }
    }

    private func notice<Report, Order>(of text: StaticString, _ seat: Seat<Report, Order>, _ pid: Int32) -> Notice {
        Notice(
            .error, text,
            [
                ("process", seat.role.title), ("pid", "\(pid)"), ("by", seat.lastDeath?.description ?? ""),
                ("lived_ms", "\(seat.lifetime.milliseconds)"),
            ])
    }

    /// Tells the controller how the workers are.
    func tellOfWorkers() {
        guard controller.isRunning else { return }
        controller.send(
            .workers(
                workers.enumerated().map { index, place in
                    WorkerStatus(
                        index: UInt16(index), state: status(place), pid: place.seat.pid ?? 0,
                        startedAt: place.seat.startedAtWall, restarts: place.seat.restarts,
                        lastDeath: place.seat.lastDeath, revision: place.revision)
                }))
    }

    private func status(_ place: WorkerPlace) -> WorkerStatus.State {
        switch place.seat.state {
        case .waiting: return .backingOff
        case .empty: return .gone
        case .running:
            if case .draining = phase { return .draining }
            return place.isReady && (current == nil || place.revision > 0) ? .serving : .starting
        }
    }
}
