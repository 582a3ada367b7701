import Core

/// A deadline with something to do, for owners that have several deadlines. Not for the data plane: the closure is a heap object.
public final class Alarm: Timed {
    private let loop: EventLoop
    private let action: () -> Void

    public init(_ loop: EventLoop, _ action: @escaping () -> Void) {
        self.loop = loop
        self.action = action
    }

    public func set(after amount: TimeAmount) { loop.setDeadline(self, loop.now + amount) }
    public func clear() { loop.clearDeadline(self) }
    public override func deadlinePassed(now: Instant) { action() }
}
