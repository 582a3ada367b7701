import Core
import Glibc
import IO
import Support
import Testing

@testable import Supervisor

/// The supervisor as a process, with actors as its family.
@Suite(.serialized) struct FamilyTests {
    /// A family that serves generation 1 on a port.
    private func serving(_ stage: Stage) throws -> (port: UInt16, id: String) {
        let port = try Ports.free()
        let id = try stage.tell("bind \(port)")
        #expect(UInt32(id) != nil, "bound: \(id)")
        #expect(try stage.tell("publish 1 1 first \(id)") == "1 1 2")
        return (port, id)
    }

    @Test func publishesToEveryWorker() throws {
        let stage = try Stage()
        let (port, id) = try serving(stage)
        try stage.waitForRevision(1)
        #expect(try stage.ask(port).text == "first")
        #expect(try stage.tell("bind \(port)") == id)
        #expect(try stage.tell("publish 2 2 second \(id)") == "2 2 2")
        for _ in 0..<20 { #expect(try stage.ask(port).text == "second") }
    }

    @Test func killedWorkerComesBackWithoutTheController() throws {
        let stage = try Stage()
        let (port, _) = try serving(stage)
        try stage.waitForRevision(1)
        let before = try stage.workerPids()
        kill(before[0], SIGKILL)
        // Its socket stayed open: connections that the kernel gave to it wait, none is refused or reset.
        for _ in 0..<50 { #expect(try stage.ask(port).text == "first") }
        try stage.waitForRevision(1)
        let after = try stage.workerPids()
        #expect(after[0] != before[0] && after[1] == before[1])
    }

    @Test func trappedWorkerIsReplacedAndNamed() throws {
        let stage = try Stage(workers: 1)
        let port = try Ports.free()
        let id = try stage.tell("bind \(port)")
        _ = try stage.tell("publish 1 1 first \(id)")
        let before = try stage.ask(port).pid
        #expect(throws: (any Error).self) { try stage.ask(port, "trap") }
        let after = try stage.ask(port).pid
        #expect(after != before)
        // Which of the two depends on the processor: a trap is an illegal instruction or a breakpoint.
        #expect(stage.program.output.contains("by=SIGILL") || stage.program.output.contains("by=SIGTRAP"))
        try Wait.until("the worker's status") { try stage.tell("workers").contains("0:serving:\(after):1:SIG") }
    }

    @Test func respawnedControllerGetsWhatTheFamilyHas() throws {
        let stage = try Stage()
        let (port, id) = try serving(stage)
        let before = try stage.workerPids()
        try stage.command("crash")
        try Wait.until("the second controller") { try stage.tell("hello").contains("restarts=1") }
        #expect(try stage.tell("hello") == "workers=2 restarts=1 bound=1 revision=1 deposit=first")
        #expect(try stage.ask(port).text == "first")
        #expect(try stage.workerPids() == before)
        #expect(try stage.tell("publish 2 2 second \(id)") == "2 2 2")
    }

    @Test func controllerThatKeepsDyingIsStartedEverMoreRarely() throws {
        let stage = try Stage()
        let (port, _) = try serving(stage)
        for count in 1...6 {
            try stage.command("crash")
            try Wait.until("restart \(count)") { try stage.tell("hello").contains("restarts=\(count)") }
            #expect(try stage.ask(port).text == "first")
        }
        #expect(stage.program.output.contains("started later; workers go on with what they have milliseconds=400"))
    }

    @Test func controllerThatSendsNonsenseIsReplaced() throws {
        let stage = try Stage()
        let (port, _) = try serving(stage)
        try stage.command("nonsense")
        try Wait.until("the second controller") { try stage.tell("hello").contains("restarts=1") }
        #expect(try stage.ask(port).text == "first")
        #expect(stage.program.output.contains("it sent what is no message"))
    }

    @Test func publicationThatDoesNotFollowEndsTheController() throws {
        let stage = try Stage()
        let (port, _) = try serving(stage)
        // A revision that is not new, and a socket that there is not.
        for (count, request) in ["publish 2 1 unanswered", "publish 2 2 unanswered 77"].enumerated() {
            try stage.command(request)
            try Wait.until("restart \(count + 1)") { try stage.tell("hello").contains("restarts=\(count + 1)") }
            #expect(try stage.ask(port).text == "first")
        }
    }

    /// A worker that loops for ever answers nothing: the next publication shows it.
    @Test func hangingWorkerIsEndedWhenItMissesASnapshot() throws {
        let stage = try Stage(workers: 1)
        let port = try Ports.free()
        let id = try stage.tell("bind \(port)")
        #expect(try stage.tell("publish 1 1 first \(id)") == "1 1 1")
        let before = try stage.ask(port).pid
        let victim = try Client(port: port)
        try victim.send("hang\n")
        #expect(try stage.tell("publish 2 2 second \(id)") == "2 2 1")
        let after = try stage.ask(port)
        #expect(after.pid != before && after.text == "second")
        #expect(stage.program.output.contains("it did not take over a snapshot in time"))
        #expect(victim.isClosedByPeer())
    }

    @Test func socketsThatNobodyUsesAreClosed() throws {
        let stage = try Stage()
        let (port, id) = try serving(stage)
        let other = try Ports.free()
        let otherId = try stage.tell("bind \(other)")
        // Bound and not yet published: a publication without it leaves it open.
        #expect(try stage.tell("publish 2 2 second \(id)") == "2 2 2")
        #expect(try stage.tell("publish 3 3 third \(otherId)") == "3 3 2")
        try Wait.until("the first port to be closed") { Ports.isClosed(port) }
        #expect(try stage.ask(other).text == "third")
        #expect(Socket.conflict(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port)) == nil)
        #expect(try stage.tell("release \(otherId)") == "released")
        #expect(try stage.ask(other).text == "third")
    }

    @Test func releasesWhatWasBoundInVain() throws {
        let stage = try Stage()
        let port = try Ports.free()
        let id = try stage.tell("bind \(port)")
        #expect(try stage.tell("release \(id)") == "released")
        try Wait.until("the port to be free") {
            Socket.conflict(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port)) == nil
        }
    }

    @Test func portOfAnotherProgramIsAnErrno() throws {
        let backend = try Backend()
        let stage = try Stage()
        let free = try Ports.free()
        let answer = try stage.tell("bind \(backend.port) \(free)").split(separator: " ")
        #expect(answer[0] == "errno\(EADDRINUSE)")
        #expect(UInt32(answer[1]) != nil)
    }

    @Test(arguments: [("3", 1), ("4", 1), ("crash", 1)])
    func failedStartEndsTheProgram(controller: String, code: UInt8) throws {
        let stage = try Stage(controller: controller)
        #expect(try stage.program.waitForEnd() == .exited(code: code))
        #expect(TemporaryFolder.text(stage.folder.path + "/pid").isEmpty)
    }

    @Test func workersThatCannotBeginEndTheProgram() throws {
        let stage = try Stage(worker: "4")
        #expect(try stage.program.waitForEnd() == .exited(code: 1))
    }

    @Test func workersThatKeepDyingAreNotStartedInAHotLoop() throws {
        let stage = try Stage(worker: "crash")
        try Wait.until("a long pause") { stage.program.output.contains("milliseconds=800") }
        // Three starts at once, then 100, 200, 400 and 800 ms apart: no more than that for each of two workers.
        #expect(stage.program.output.split(separator: "\n").filter { $0.contains("worker died") }.count <= 16)
        #expect(try stage.tell("publish 1 1 first") == "1 1 0" || stage.tell("workers").contains("backingOff"))
    }

    @Test(arguments: [SIGTERM, SIGQUIT])
    func drainEndsIdleWorkersAtOnce(signal: CInt) throws {
        let stage = try Stage(drainTimeout: 20_000)
        let (port, _) = try serving(stage)
        stage.program.signal(signal)
        #expect(try stage.program.waitForEnd(within: .seconds(5)) == .exited(code: 0))
        #expect(Ports.isClosed(port))
        #expect(TemporaryFolder.text(stage.folder.path + "/pid").isEmpty)
        #expect((try? Client(path: stage.folder.path + "/admin")) == nil)
    }

    @Test func drainWaitsForBusyWorkersUntilTheTimeout() throws {
        let stage = try Stage(drainTimeout: 3_000)
        let (port, _) = try serving(stage)
        let client = try Client(port: port)
        try client.send("hold\n")
        #expect(try client.readLine() == "held")
        let watch = Stopwatch()
        stage.program.signal(SIGTERM)
        try Wait.until("the port to be closed") { Ports.isClosed(port) }
        #expect(try stage.tell("news").contains("drain:3000"))
        #expect(stage.program.death == nil && client.isQuiet)
        #expect(try stage.program.waitForEnd() == .exited(code: 0))
        #expect(watch.elapsed >= .milliseconds(2_990))
        #expect(client.isClosedByPeer())
    }

    @Test func secondTermQuitsAtOnce() throws {
        let stage = try Stage(drainTimeout: 60_000)
        let (port, _) = try serving(stage)
        let client = try Client(port: port)
        try client.send("hold\n")
        #expect(try client.readLine() == "held")
        stage.program.signal(SIGTERM)
        try Wait.until("the drain") { try stage.tell("news").contains("drain") }
        stage.program.signal(SIGTERM)
        #expect(try stage.program.waitForEnd(within: .seconds(5)) == .exited(code: 0))
    }

    @Test func interruptQuitsAtOnce() throws {
        let stage = try Stage(drainTimeout: 60_000)
        let (port, _) = try serving(stage)
        let client = try Client(port: port)
        try client.send("hold\n")
        #expect(try client.readLine() == "held")
        let pids = try stage.workerPids()
        stage.program.signal(SIGINT)
        #expect(try stage.program.waitForEnd(within: .seconds(5)) == .exited(code: 0))
        for pid in pids { #expect(kill(pid, 0) != 0) }
    }

    @Test func noChildOutlivesAKilledSupervisor() throws {
        let stage = try Stage()
        _ = try serving(stage)
        let children = stage.program.children.map(\.pid)
        #expect(children.count == 3)
        stage.program.signal(SIGKILL)
        _ = try stage.program.waitForEnd()
        for child in children {
            try Wait.until("process \(child) to end") {
                let state = TemporaryFolder.text("/proc/\(child)/stat")
                return state.isEmpty || state.contains(") Z ")
            }
        }
    }

    @Test func signalsReachTheRoles() throws {
        let stage = try Stage()
        _ = try serving(stage)
        stage.program.signal(SIGHUP)
        try Wait.until("reload") { try stage.tell("news").contains("reload") }
        stage.program.signal(SIGUSR1)
        try Wait.until("reopen") { try stage.tell("news").contains("reopen") }
        stage.program.signal(SIGUSR2)
        try Wait.until("a word on upgrades") { stage.program.output.contains("by=SIGUSR2") }
        #expect(stage.program.death == nil)
    }

    @Test func secondFamilyWithTheSamePidFileIsRefused() throws {
        let stage = try Stage()
        _ = try serving(stage)
        let output = stage.folder.path + "/second"
        let second = try Program(Program.built("stage"), ["1", stage.folder.path, "100"], output: output)
        #expect(try second.waitForEnd() == .exited(code: 1))
        #expect(second.output.contains("is in use by process \(stage.program.pid)"))
        #expect(stage.folder.read("pid") == "\(stage.program.pid)\n")
    }
}
