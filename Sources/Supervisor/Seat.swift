import Core
import Glibc
import IO

/// A place in the family that one process after another fills: a worker's, or the controller's.
///
///     empty ─ start ─▶ running ─ death ─▶ empty (or waiting, when its processes keep dying) ─ start ─▶ …
final class Seat<Report: FamilyMessage, Order: FamilyMessage>: EventSource {
    enum State {
        case empty
        case running(pid: Int32, link: MessageLink<Report, Order>)
        /// Until its next start.
        case waiting
    }

    let role: Role
    private let loop: EventLoop
    private(set) var state = State.empty
    private(set) var starts: UInt32 = 0
    private(set) var startedAt = Instant(nanoseconds: 0)
    private(set) var startedAtWall: Int64 = 0
    private(set) var lastDeath: Death?
    /// How long the last process that died had lived. Measured on the clock itself: the loop's time is that of its turn's
    /// beginning, and a process may be started and found dead within one turn.
    private(set) var lifetime = TimeAmount.zero
    private var policy = RespawnPolicy()

    /// Told each message.
    var received: (Report) -> Void = { _ in }
    /// The process broke the protocol, or has not read for long.
    var broke: (StaticString) -> Void = { _ in }
    /// The moment set by `loop.setDeadline` has come.
    var due: () -> Void = {}

    init(_ role: Role, _ loop: EventLoop) {
        self.role = role
        self.loop = loop
    }

    var pid: Int32? {
        if case .running(let pid, _) = state { return pid }
        return nil
    }
    var isRunning: Bool { pid != nil }
    var isWaiting: Bool {
        if case .waiting = state { return true }
        return false
    }
    var restarts: UInt32 { starts > 0 ? starts - 1 : 0 }

    /// Starts a process on this seat.
    func start(
        executable: String, arguments: [String], inherited: [(fd: SharedFD, number: CInt)]
    ) throws(Errno) {
        precondition(!isRunning, "a seat is taken by one process at a time")
        loop.clearDeadline(self)
        let (link, other) = try MessageLink<Report, Order>.pair(whenFull: .queueing)
        let pid = try ChildProcess.spawn(
            executable, arguments, inherited: inherited + [(other, InheritedFD.link)])
        state = .running(pid: pid, link: link)
        starts += 1
        startedAt = SystemCalls.monotonicNow()
        startedAtWall = SystemCalls.wallNow()
        loop.add(link.descriptor, self)
    }

    func send(_ order: Order) {
        guard case .running(_, let link) = state else { return }
        if link.send(order) == .overflowing { broke("it does not read its messages") }
    }

    /// Ends the process without asking it; its death arrives as any other.
    func kill() {
        if let pid { Glibc.kill(pid, SIGKILL) }
    }

    /// The process was found dead (waitpid(2)). What it said last is still delivered.
    func ended(_ death: Death) {
        guard case .running(_, let link) = state else { preconditionFailure("a death on an empty seat") }
        loop.clearDeadline(self)
        loop.remove(link.descriptor)
        // Before the last messages: whoever reacts to them must not signal a number that is somebody else's by now.
        state = .empty
        drainMessages(link)
        lastDeath = death
        lifetime = SystemCalls.monotonicNow() - startedAt
    }

    /// After a death: how long to wait, by the policy; the seat waits if it is not zero.
    func nextStartDelay(now: Instant) -> TimeAmount {
        let delay = policy.died(after: lifetime)
        if delay > .zero { wait(delay, now) }
        return delay
    }

    /// No process could be started: try again later, as after a death.
    func wait(_ delay: TimeAmount, _ now: Instant) {
        state = .waiting
        loop.setDeadline(self, now + delay)
    }

    /// It will not be filled again.
    func abandon() {
        loop.clearDeadline(self)
        state = .empty
    }

    override func ready(_ events: ReadyEvents) {
        guard case .running(_, let link) = state else { return }
        if events.contains(.writable) { link.flush() }
        drainMessages(link)
    }

    override func deadlinePassed(now: Instant) { due() }

    private func drainMessages(_ link: MessageLink<Report, Order>) {
        while true {
            switch link.receive() {
            case .message(let message): received(message)
            case .nothing, .closed: return
            case .malformed:
                broke("it sent what is no message")
                return
            }
        }
    }
}
