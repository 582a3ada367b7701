import Config
import Core
import IO
import Telemetry
import Upstream

/// Services that workers have died of, as one worker sees them: it names those that its predecessor died of, and says where a
/// call of such a service is to be served.
final class Isolations {
    private let worker: Worker
    /// What the predecessor died of; told as soon as a snapshot gives it a name.
    private var untold: Untold?

    private struct Untold {
        var slot: UInt32
        var input: InputKind
        var isIsolated: Bool
    }

    init(worker: Worker) { self.worker = worker }

    /// The worker whose calls of isolated services they all are: the last one.
    var place: Int { worker.liveState.members.workerCount - 1 }

    /// Takes note of how the worker's predecessor ended.
    /// - Parameter fatal: what it was busy with when a signal of its own making ended it.
    func begin(after fatal: (slot: UInt32, input: InputKind)?) {
        guard let fatal, fatal.slot != 0, fatal.slot < MemberCell.limit else { return }
        let isIsolated = worker.liveState.member(fatal.slot).noteDeath(fatal.input, now: SystemCalls.wallNow())
        untold = Untold(slot: fatal.slot, input: fatal.input, isIsolated: isIsolated)
    }

    /// Says by name what is to be said.
    func tell(_ snapshot: Snapshot) {
        guard let untold, let name = Self.name(ofSlot: untold.slot, in: snapshot) else { return }
        self.untold = nil
        let cell = worker.liveState.member(untold.slot)
        worker.log.error(
            "this worker's predecessor died of serving a service",
            ["service": .init(name), "input": .init("\(untold.input.text)"), "deaths": .init(cell.deaths)])
        guard untold.isIsolated else { return }
        if worker.liveState.members.workerCount == 1 {
            worker.log.error(
                "a service has killed the worker twice with the same kind of input: it is refused for a while after each death",
                ["service": .init(name), "seconds": .init(UInt64(Isolation.refusal.milliseconds / 1000))])
        } else {
            worker.log.error(
                "a service has killed workers twice with the same kind of input: one worker alone serves it",
                [
                    "service": .init(name), "worker": .init(UInt64(place)),
                    "seconds": .init(UInt64(Isolation.lasts.milliseconds / 1000)),
                ])
        }
    }

    private static func name(ofSlot slot: UInt32, in snapshot: Snapshot) -> String? {
        let groups = snapshot.header.pointee.groups
        for group in 0..<Int(groups.count) {
            let members = snapshot[groups, group].pointee.members
            for number in 0..<Int(members.count) {
                let member = snapshot[members, number]
                if member.pointee.fairShare.slot == slot { return snapshot.text(member.pointee.qualifiedName).string }
            }
        }
        return nil
    }

    /// Where a call is to be served.
    enum Verdict { case here, isolationWorker, nowhere }

    func verdict(on slot: UInt32) -> Verdict {
        guard slot != 0 else { return .here }
        let cell = worker.liveState.member(slot)
        guard cell.deaths > 1, cell.isolation(now: worker.loop.wallNow) != nil else { return .here }
        if worker.liveState.members.workerCount > 1 {
            return worker.liveState.worker == place ? .here : .isolationWorker
        }
        return cell.isRefused(now: worker.loop.wallNow) ? .nowhere : .here
    }
}
