import Core
import Glibc
import IO

// How a family ends.
extension Supervisor {
    /// SIGTERM: not ready from now on; after the delay nothing new is accepted; after the timeout nothing is left.
    func beginDrain(by cause: String) {
        phase = .drainDelay
        tell(
            Notice(
                .info, "drain began",
                [
                    ("by", cause), ("delay_ms", "\(options.drainDelay.milliseconds)"),
                    ("timeout_ms", "\(options.drainTimeout.milliseconds)"),
                ]))
        tellOfDrain()
        if options.drainDelay > .zero { alarm.set(after: options.drainDelay) } else { drainWorkers() }
    }

    func tellOfDrain() {
        controller.send(.drainBegan(delay: options.drainDelay, timeout: options.drainTimeout))
    }

    private func drainWorkers() {
        phase = .draining
        // Whoever comes from now on is the guard's.
        keeper?.leave()
        for place in workers {
            if place.seat.isRunning {
                place.seat.send(.drain(timeout: options.drainTimeout))
            } else {
                place.seat.abandon()
            }
            // A worker that was still to acknowledge a snapshot has other things to do now.
            loop.clearDeadline(place.seat)
        }
        // The workers have their copies, from which they accept what waits, and close them: then the ports are free.
        sockets.closeAll()
        alarm.set(after: options.drainTimeout + Limits.drainGrace)
        tellOfWorkers()
        drainedPerhaps()
    }

    /// Ends the family when its last worker has ended.
    func drainedPerhaps() {
        guard !workers.contains(where: { $0.seat.isRunning }) else { return }
        tell(Notice(.info, "drained"))
        quit(code: 0)
    }

    /// Everybody is told to go; whoever is there after the grace is ended.
    func quit(code: Int32) {
        guard phase != .quitting else { return }
        phase = .quitting
        exitCode = code
        keeper?.leave()
        sockets.closeAll()
        for place in workers {
            if place.seat.isRunning { place.seat.send(.quit) } else { place.seat.abandon() }
            loop.clearDeadline(place.seat)
        }
        if controller.isRunning { controller.send(.quit) } else { controller.abandon() }
        if !controller.isRunning, !workers.contains(where: { $0.seat.isRunning }) { return loop.stop() }
        alarm.set(after: Limits.quitGrace)
    }

    func killAll() {
        for place in workers { place.seat.kill() }
        controller.kill()
    }

    func alarmRang() {
        switch phase {
        case .serving: break
        case .drainDelay: drainWorkers()
        case .draining:
            for place in workers where place.seat.isRunning { end(place.seat, because: "it did not drain in time") }
        case .quitting: killAll()
        }
    }
}
