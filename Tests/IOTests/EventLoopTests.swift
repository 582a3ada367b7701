import Core
import Glibc
import Support
import Synchronization
import Testing

@testable import IO

@Suite struct EventLoopTests {
    /// Counts what it is told, and does what a test wants meanwhile.
    private final class Source: EventSource {
        var events: [ReadyEvents] = []
        var onEvent: () -> Void = {}
        override func ready(_ events: ReadyEvents) {
            self.events.append(events)
            onEvent()
        }
    }

    private func pipe() throws -> (reader: CInt, writer: CInt) {
        var ends: [CInt] = [-1, -1]
        try #require(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private func put(_ fd: CInt) {
        var octet: UInt8 = 1
        #expect(write(fd, &octet, 1) == 1)
    }

    @Test func levelTriggeredReadersAreToldAgain() throws {
        let loop = EventLoop()
        let (reader, writer) = try pipe()
        let source = Source()
        loop.addReader(reader, source)
        put(writer)
        loop.turn(limit: 0)
        loop.turn(limit: 0)
        #expect(source.events == [.readable, .readable])
        loop.remove(reader)
        close(reader)
        close(writer)
    }

    @Test func aSuccessorIsToldWhatComesNext() throws {
        let loop = EventLoop()
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let (first, second) = (Source(), Source())
        loop.add(ends[0], first)
        loop.turn(limit: 0)
        #expect(first.events == [.writable])
        loop.replace(ends[0], second)
        loop.turn(limit: 0)
        #expect(second.events.isEmpty)
        put(ends[1])
        loop.turn(limit: 0)
        #expect(second.events == [[.readable, .writable]])
        #expect(first.events == [.writable])
        loop.remove(ends[0])
        close(ends[0])
        close(ends[1])
    }

    @Test func edgeTriggeredSourcesAreToldOnce() throws {
        let loop = EventLoop()
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let source = Source()
        loop.add(ends[0], source)
        loop.turn(limit: 0)
        loop.turn(limit: 0)
        #expect(source.events == [.writable])
        put(ends[1])
        loop.turn(limit: 0)
        #expect(source.events.last == [.readable, .writable])
        close(ends[1])
        loop.turn(limit: 0)
        #expect(source.events.last?.contains(.peerClosed) == true)
        loop.remove(ends[0])
        close(ends[0])
    }

    /// Two events in one batch; the first one's handling closes the second's descriptor and a new owner gets its number.
    @Test func anEventForAnEarlierOwnerIsDropped() throws {
        let loop = EventLoop()
        let (first, second) = (try pipe(), try pipe())
        let sources = (Source(), Source())
        let newcomer = Source()
        var reused: CInt = -1
        func replace(_ other: CInt) {
            guard reused < 0 else { return }
            loop.remove(other)
            close(other)
            reused = dup(first.writer)
            #expect(dup2(reused, other) == other)
            loop.add(other, newcomer)
        }
        sources.0.onEvent = { replace(second.reader) }
        sources.1.onEvent = { replace(first.reader) }
        loop.addReader(first.reader, sources.0)
        loop.addReader(second.reader, sources.1)
        put(first.writer)
        put(second.writer)
        loop.turn(limit: 0)
        // Whichever came first: the other was not told, and the number's new owner did not get its event.
        #expect(sources.0.events.count + sources.1.events.count == 1)
        #expect(newcomer.events.isEmpty)
        loop.turn(limit: 0)
        #expect(newcomer.events == [.writable])
    }

    /// A copy of the open file lives on (in the supervisor, say): closing our number does not take it out of epoll.
    @Test func aRemovedListenerThatSomebodyElseHoldsIsSilent() throws {
        let loop = EventLoop()
        let listener = try Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0))
        let copy = dup(listener.raw)
        let source = Source()
        loop.addReader(copy, source)
        loop.remove(copy, closing: false)
        close(copy)
        let client = try Socket.connect(try #require(Socket.localAddress(listener.raw)))
        let watch = Stopwatch()
        loop.turn(limit: 100)
        #expect(watch.elapsed >= .milliseconds(99), "the loop was woken for a descriptor that it has forgotten")
        #expect(source.events.isEmpty)
        _ = client.raw
    }

    @Test func aDeadlineEndsTheWait() throws {
        let loop = EventLoop()
        var passed: [Instant] = []
        let alarm = Alarm(loop) { passed.append(loop.now) }
        let start = loop.now
        alarm.set(after: .milliseconds(30))
        while passed.isEmpty { loop.turn() }
        #expect(passed[0] - start >= .milliseconds(30))
        #expect(alarm.deadline == .distantFuture)
    }

    @Test func aClearedDeadlineDoesNotPass() throws {
        let loop = EventLoop()
        var passed = 0
        let alarm = Alarm(loop) { passed += 1 }
        alarm.set(after: .milliseconds(1))
        alarm.clear()
        loop.turn(limit: 20)
        #expect(passed == 0)
    }

    /// A deadline that its own passing sets to now is due in a later turn: the loop comes back to its events.
    @Test func aDeadlineSetWhilePassingWaitsForTheNextTurn() throws {
        let loop = EventLoop()
        var passed = 0
        var alarm: Alarm!
        alarm = Alarm(loop) {
            passed += 1
            alarm.set(after: .zero)
        }
        alarm.set(after: .zero)
        while passed == 0 { loop.turn(limit: 10) }
        #expect(passed == 1)
        alarm.clear()
    }

    @Test func hooksRunOnceATurnAndLast() throws {
        let loop = EventLoop()
        let (reader, writer) = try pipe()
        var order: [String] = []
        let source = Source()
        source.onEvent = { order.append("event") }
        loop.addReader(reader, source)
        loop.atEndOfTurn { order.append("hook") }
        put(writer)
        loop.turn(limit: 0)
        #expect(order == ["event", "hook"])
        loop.remove(reader)
    }

    /// A signal that interrupts the wait is a turn without events, not an end of the loop (EINTR).
    @Test func aSignalDoesNotEndTheWait() throws {
        let loop = EventLoop()
        signal(SIGWINCH) { _ in }
        // The threads that tests run on may have it blocked.
        var winch = sigset_t()
        sigemptyset(&winch)
        sigaddset(&winch, SIGWINCH)
        pthread_sigmask(SIG_UNBLOCK, &winch, nil)
        let thread = pthread_self()
        let flag = Flag()
        Threads.start {
            while !flag.isSet {
                pthread_kill(thread, SIGWINCH)
                usleep(500)
            }
            flag.acknowledge()
        }
        var passed = false
        let alarm = Alarm(loop) { passed = true }
        // Nothing but signals ends these turns before the alarm.
        for _ in 0..<20 {
            alarm.set(after: .seconds(10))
            loop.turn()
            #expect(!passed)
        }
        alarm.clear()
        flag.set()
        try Wait.until("the signals to end") { flag.isAcknowledged }
    }

    private final class Flag: Sendable {
        private let state = Atomic<Int>(0)
        var isSet: Bool { state.load(ordering: .acquiring) > 0 }
        var isAcknowledged: Bool { state.load(ordering: .acquiring) > 1 }
        func set() { state.store(1, ordering: .releasing) }
        func acknowledge() { state.store(2, ordering: .releasing) }
    }

    @Test func stopEndsRun() throws {
        let loop = EventLoop()
        let alarm = Alarm(loop) { loop.stop() }
        alarm.set(after: .milliseconds(1))
        loop.run()
        #expect(alarm.deadline == .distantFuture)
    }
}
