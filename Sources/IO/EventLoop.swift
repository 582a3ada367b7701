import CLinux
import Core
import Glibc

/// What epoll says of a descriptor. Several at once are usual.
public struct ReadyEvents: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let readable = ReadyEvents(rawValue: EPOLLIN.rawValue)
    public static let writable = ReadyEvents(rawValue: EPOLLOUT.rawValue)
    /// The peer has sent its FIN; what came before it may still wait to be read.
    public static let peerClosed = ReadyEvents(rawValue: EPOLLRDHUP.rawValue)
    public static let hungUp = ReadyEvents(rawValue: EPOLLHUP.rawValue)
    public static let error = ReadyEvents(rawValue: EPOLLERR.rawValue)

    // Written as numbers: a literal of several is an array on the heap in builds without optimisation, where tests count.
    /// A read will tell something: octets, the end, or an error.
    public static let anyForReading = ReadyEvents(
        rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// A write will not be refused for want of room.
    public static let anyForWriting = ReadyEvents(rawValue: EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// Both may be tried: for who takes a descriptor over and has not been told.
    public static let anyTransfer = ReadyEvents(rawValue: EPOLLIN.rawValue | EPOLLOUT.rawValue)
    /// The peer sends no more.
    public static let anyEnd = ReadyEvents(rawValue: EPOLLRDHUP.rawValue | EPOLLHUP.rawValue)
    /// Nothing goes either way any more.
    public static let anyLoss = ReadyEvents(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)

    @inlinable public func has(_ any: ReadyEvents) -> Bool { rawValue & any.rawValue != 0 }
}

/// Something with a descriptor in the loop, and perhaps a deadline. The loop borrows it: its owner removes it first.
open class EventSource: Timed {
    /// Edge-triggered sources must read and write until `wouldBlock` or a short transfer.
    open func ready(_ events: ReadyEvents) {}
}

/// One epoll loop of one thread. Descriptors are registered once, edge-triggered, and never changed.
///
/// Limits: `batch` events a turn. The clock is read once a turn; ``now`` is that reading.
public final class EventLoop {
    public static let batch = 256

    private let epoll: OwnedFD
    private var timers: TimerWheel
    private var events: UnsafeMutablePointer<epoll_event>
    /// By descriptor. The generation tells an event for an earlier owner of the number from one for this one.
    private var registrations: [Registration] = []
    private var stopped = false
    /// The turn's time.
    public private(set) var now: Instant
    /// Wall clock of the turn, in nanoseconds since 1970.
    public private(set) var wallNow: Int64
    /// Wall clock less monotonic clock, and when it is read again: asking both clocks each turn would cost twice as much.
    private var wallOffset: Int64
    private var wallReadAgain: Instant
    private static let wallReading = TimeAmount.milliseconds(50)
    private var turnHooks: [Unmanaged<TurnHook>] = []
    private var unfinished: [EventSource] = []

    private struct Registration {
        var source: Unmanaged<EventSource>?
        var generation: UInt32
    }

    public init() {
        let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(raw >= 0, "epoll_create1 failed")
        epoll = OwnedFD(adopting: raw)
        now = SystemCalls.monotonicNow()
        wallNow = SystemCalls.wallNow()
        wallOffset = wallNow - now.nanoseconds
        wallReadAgain = now + Self.wallReading
        timers = TimerWheel(now: now)
        events = .allocate(capacity: Self.batch)
    }

    deinit {
        events.deallocate()
        for hook in turnHooks { hook.release() }
    }

    /// Edge-triggered for reading, writing and the peer's FIN.
    public func add(_ fd: CInt, _ source: EventSource) {
        register(fd, source, EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue)
    }

    /// Level-triggered for reading: listening sockets, signals, control channels.
    public func addReader(_ fd: CInt, _ source: EventSource) { register(fd, source, EPOLLIN.rawValue) }

    private func register(_ fd: CInt, _ source: EventSource, _ interest: UInt32) {
        while registrations.count <= Int(fd) { registrations.append(Registration(source: nil, generation: 0)) }
        precondition(registrations[Int(fd)].source == nil, "the descriptor is registered already")
        registrations[Int(fd)].source = Unmanaged.passUnretained(source)
        registrations[Int(fd)].generation &+= 1
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(registrations[Int(fd)].generation) << 32 | UInt64(fd)
        let result = epoll_ctl(epoll.raw, EPOLL_CTL_ADD, fd, &event)
        precondition(result == 0, "epoll_ctl failed on a descriptor of ours")
    }

    /// Forgets the descriptor. To be called before it is closed: closing alone leaves it registered while a copy lives.
    /// - Parameter closing: the descriptor is closed at once and nobody else holds a copy, so the kernel forgets it too.
    public func remove(_ fd: CInt, closing: Bool = true) {
        precondition(registrations[Int(fd)].source != nil, "the descriptor is not registered")
        registrations[Int(fd)].source = nil
        if !closing { epoll_ctl(epoll.raw, EPOLL_CTL_DEL, fd, nil) }
    }

    /// Hands a registered descriptor to another source, without a system call. An event that came in this very turn goes to
    /// the new one; edges that the old one has been told of are not told again, so the new one begins as if it had been told
    /// of all: see `again`.
    public func replace(_ fd: CInt, _ source: EventSource) {
        precondition(registrations[Int(fd)].source != nil, "the descriptor is not registered")
        registrations[Int(fd)].source = Unmanaged.passUnretained(source)
    }

    public func setDeadline(_ timed: Timed, _ deadline: Instant) { timers.set(timed, deadline) }
    public func clearDeadline(_ timed: Timed) { timers.clear(timed) }
    /// As `clearDeadline`, for those who set another soon; see ``TimerWheel/suspend(_:)``.
    public func suspendDeadline(_ timed: Timed) { timers.suspend(timed) }

    /// Called at the end of every turn, after events and timers.
    public func atEndOfTurn(_ hook: @escaping () -> Void) { turnHooks.append(.passRetained(TurnHook(hook))) }

    /// Calls `source.ready([])` in the next turn, which then does not wait: for work that was cut short so that others
    /// have their turn.
    public func again(_ source: EventSource) { unfinished.append(source) }

    public func stop() { stopped = true }

    public func run() {
        stopped = false
        while !stopped { turn() }
    }

    /// One turn: waits for events or the next deadline (at most `limit` milliseconds; nil: no limit).
    public func turn(limit: Int32? = nil) {
        var timeout = timers.untilNext(now: now) ?? -1
        if let limit, timeout < 0 || timeout > limit { timeout = limit }
        if !unfinished.isEmpty { timeout = 0 }
        let count = epoll_wait(epoll.raw, events, Int32(Self.batch), timeout)
        // EINTR is a turn without events; anything else would come back at once, for ever.
        precondition(count >= 0 || errno == EINTR, "epoll_wait failed")
        now = SystemCalls.monotonicNow()
        if now >= wallReadAgain {
            wallOffset = SystemCalls.wallNow() - now.nanoseconds
            wallReadAgain = now + Self.wallReading
        }
        wallNow = now.nanoseconds + wallOffset
        if count > 0 {
            for index in 0..<Int(count) {
                let event = events[index]
                let fd = Int(UInt32(truncatingIfNeeded: event.data.u64))
                let generation = UInt32(truncatingIfNeeded: event.data.u64 >> 32)
                guard registrations[fd].generation == generation, let source = registrations[fd].source else {
                    continue
                }
                // Kept alive for the call: it may drop its owner's last reference.
                let held = source.retain()
                held._withUnsafeGuaranteedRef { $0.ready(ReadyEvents(rawValue: event.events)) }
                held.release()
            }
        }
        if !unfinished.isEmpty {
            let resumed = unfinished
            unfinished.removeAll(keepingCapacity: true)
            for source in resumed { source.ready([]) }
        }
        while let timed = timers.popExpired(now: now) { timed.deadlinePassed(now: now) }
        for index in turnHooks.indices { turnHooks[index]._withUnsafeGuaranteedRef { $0.call() } }
    }
}

/// A closure in an object: one that lies in an array bare is an object of its own each time it is read, in builds without
/// optimisation.
private final class TurnHook {
    let call: () -> Void
    init(_ call: @escaping () -> Void) { self.call = call }
}
