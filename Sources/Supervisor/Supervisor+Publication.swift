import Core
import IO

// From the controller to the workers: sockets and snapshots.
extension Supervisor {
    func received(_ request: ControllerRequest) {
        switch request {
        case .bind(let addresses):
            if case .draining = phase { return }
            let bindings = addresses.map { bind($0) }
            for binding in bindings {
                if case .failed(let errno) = binding.outcome {
                    tell(
                        Notice(
                            .warning, "cannot listen",
                            [("address", binding.address.description), ("reason", errno.description)]))
                }
            }
            controller.send(.bound(bindings))
        case .release(let ids):
            let used = Set(current?.sockets ?? [])
            for id in ids where !used.contains(id) { close(id) }
        case .central(let address, let gateways): central[address] = gateways.isEmpty ? nil : gateways
        case .publish(let publication): publish(publication)
        case .drain:
            if case .serving = phase { beginDrain(by: "admin") }
        }
    }

    private func publish(_ publication: Publication) {
        guard publication.revision > current?.revision ?? 0, unanswered.count < Limits.unanswered,
            publication.sockets.allSatisfy({ sockets.contains($0) })
        else {
            // Sockets are closed by a drain; what comes later names ids that are gone.
            if case .draining = phase { return }
            return end(controller, because: "it published what does not follow from what it was told")
        }
        current = publication
        sockets.markPublished(publication.sockets)
        unanswered.append((publication.generation, publication.revision))
        for index in workers.indices { hand(publication, to: index) }
        answerPublications()
    }

    /// Gives a worker the snapshot, and first the sockets that it does not have yet.
    func hand(_ publication: Publication, to index: Int) {
        let seat = workers[index].seat
        guard seat.isRunning else { return }
        for id in publication.sockets where !workers[index].sockets.contains(id) {
            guard let (address, fd) = sockets.socket(id, worker: index) else { continue }
            workers[index].sockets.insert(id)
            seat.send(.socket(id: id, address: address, fd))
        }
        seat.send(
            .snapshot(
                generation: publication.generation, revision: publication.revision, publication.snapshot))
        loop.setDeadline(seat, loop.now + plan.acknowledgement)
    }

    func received(_ report: WorkerReport, from index: Int) {
        switch report {
        case .ready:
            workers[index].isReady = true
            anyWorkerWasReady = true
            tell(
                Notice(
                    workers[index].seat.restarts > 0 ? .info : .debug, "worker is ready",
                    [
                        ("worker", "\(index)"),
                        ("ms", "\((SystemCalls.monotonicNow() - workers[index].seat.startedAt).milliseconds)"),
                    ]))
        case .live(_, let revision):
            workers[index].revision = revision
            if revision == current?.revision { loop.clearDeadline(workers[index].seat) }
            answerPublications()
        case .drained: break
        }
        tellOfWorkers()
    }

    /// Tells the controller which publications are live everywhere, and closes the sockets that nobody uses any more.
    func answerPublications() {
        guard let current else { return }
        // Who waits for its next start is not waited for: it will be given the newest snapshot.
        let running = workers.filter { $0.seat.isRunning }
        let reached = running.map(\.revision).min() ?? .max
        let done = unanswered.prefix { $0.revision <= reached }
        for (generation, revision) in done {
            controller.send(
                .published(generation: generation, revision: revision, workers: UInt16(running.count)))
        }
        unanswered.removeFirst(done.count)
        if reached >= current.revision {
            for id in sockets.retired(by: current) { close(id) }
            tellGuard(running.count)
        }
    }

    /// Hands the guard what is served now. A family whose workers all keep dying serves nothing.
    private func tellGuard(_ running: Int) {
        guard let keeper, running > 0, case .serving = phase else { return }
        sockets.forgetKept()
        keeper.serve(sockets.published, central)
    }

    private func close(_ id: UInt32) {
        for index in workers.indices where workers[index].sockets.remove(id) != nil {
            workers[index].seat.send(.closeSocket(id: id))
        }
        sockets.close(id)
    }
}
