import Core
import IO

/// Sees to it that the workers have ticket keys, and a new one every ``TicketKeyRing/lifetime``. Owned by the controller; a
/// new controller goes on where the last one ended.
final class TicketKeyRotation: Timed {
    private let ring: TicketKeyRing
    private let loop: EventLoop

    init(ring: TicketKeyRing, loop: EventLoop) {
        self.ring = ring
        self.loop = loop
        super.init()
        rotateIfDue()
    }

    override func deadlinePassed(now: Instant) { rotateIfDue() }

    private func rotateIfDue() {
        if ring.dueAt <= loop.wallNow { ring.rotate(wallNow: loop.wallNow) }
        // A clock that was set back must not put the next key off by more than its lifetime.
        let wait = min(.nanoseconds(ring.dueAt - loop.wallNow), TicketKeyRing.lifetime)
        loop.setDeadline(self, loop.now + wait)
    }
}
