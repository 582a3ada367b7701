import Core
import IO

/// One process that talks to the guard: the family's supervisor, one that comes after it, or somebody who asks.
final class GuardLink: EventSource {
    typealias Link = MessageLink<GuardOrder, GuardReport>

    /// Of the process at the other end; 0: not to be seen from here.
    let pid: Int32
    let link: Link
    /// Tells of its end; nil: it was never the family, or cannot be seen from here.
    var life: ProcessWatch?
    private unowned let owner: Guard

    init(_ fd: consuming OwnedFD, pid: Int32, owner: Guard) {
        self.pid = pid
        self.owner = owner
        link = Link(fd: fd, whenFull: .queueing, queueLimit: GuardProtocol.queue)
        super.init()
        owner.loop.add(link.descriptor, self)
    }

    func say(_ report: GuardReport) {
        if link.send(report) == .overflowing { owner.drop(self, because: "it does not read its messages") }
    }

    override func ready(_ events: ReadyEvents) {
        guard owner.knows(self) else { return }
        if events.contains(.writable) { link.flush() }
        for _ in 0..<GuardLimits.messagesPerTurn {
            switch link.receive() {
            case .message(let order):
                owner.received(order, from: self)
                guard owner.knows(self) else { return }
            case .nothing: return
            case .closed: return owner.closed(self)
            case .malformed(let what): return owner.drop(self, because: "\(what)")
            }
        }
        owner.loop.again(self)
    }
}

/// Waits for the end of a process that is nobody's child here.
final class ProcessWatch: EventSource {
    let fd: OwnedFD
    private let ended: () -> Void

    init(_ fd: consuming OwnedFD, _ ended: @escaping () -> Void) {
        self.fd = fd
        self.ended = ended
    }

    override func ready(_ events: ReadyEvents) { ended() }
}
