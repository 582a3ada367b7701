import Core
import Glibc
import IO
import Testing

@testable import Supervisor

@Suite struct SeatTests {
    /// Started and found dead before the loop's clock moves on.
    @Test func aProcessThatDiesAtOnceHasLivedNoNegativeTime() throws {
        let loop = EventLoop()
        let seat = Seat<WorkerReport, WorkerOrder>(.worker(index: 0), loop)
        let began = SystemCalls.monotonicNow()
        try seat.start(executable: "/bin/false", arguments: ["false"], inherited: [])
        let pid = try #require(seat.pid)
        var status: CInt = 0
        while waitpid(pid, &status, 0) < 0 { try #require(errno == EINTR) }
        seat.ended(.exited(code: 1))
        #expect(seat.lifetime > .zero)
        #expect(seat.lifetime <= SystemCalls.monotonicNow() - began)
        #expect(seat.startedAt > loop.now, "the case that this test is about")
    }
}
