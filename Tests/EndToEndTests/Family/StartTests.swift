import Core
import Glibc
import IO
import Support
import Testing

/// How a family starts, or says why it does not.
@Suite(.serialized) struct StartTests {
    @Test func refusedManifestsEndTheStartWithTheFindings() throws {
        let gateway = try Gateway(
            [
                "broken.yaml":
                    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {prt: 1}\n"
            ],
            workers: 2, waitUntilReady: false)
        #expect(try gateway.program.waitForEnd() == .exited(code: 1))
        #expect(gateway.output.contains("manifests/broken.yaml:4:"))
        #expect(gateway.output.contains(": error: "))
    }

    @Test(arguments: [
        (["--workers", "0"], "--workers '0': write a number from 1 to"), (["--workers"], "--workers needs a value"),
        (["--wrokers", "1"], "there is no option --wrokers"),
        (["--drain-time", "1s"], "did you mean --drain-timeout?"),
        (["--drain-timeout", "soon"], "--drain-timeout 'soon': write a duration"),
        (["--admin", "localhost"], "--admin 'localhost': write IP:PORT"), (["--log-level=loud"], "--log-level 'loud'"),
        (["--access-log", "xml"], "--access-log 'xml': write text, json"),
        (["--watch=yes"], "--watch takes no value"),
    ])
    func wrongUsageIsSaidInOneLine(options: [String], message: String) throws {
        let folder = try TemporaryFolder()
        let program = try Program(Program.built("sluice"), ["run"] + options, output: folder.path + "/output")
        #expect(try program.waitForEnd() == .exited(code: 2))
        #expect(program.output.contains(message))
        #expect(program.output.split(separator: "\n").count == 1)
    }

    @Test func anAdminAddressInUseIsAFailedStart() throws {
        let backend = try Backend()
        let gateway = try Gateway(
            ["gateway.yaml": Manifests.simple(ports: [Ports.free()], backend: backend.port)],
            options: ["--admin", backend.address], waitUntilReady: false)
        #expect(try gateway.program.waitForEnd() == .exited(code: 1))
        #expect(gateway.output.contains("--admin \(backend.address): cannot listen there"))
    }

    /// As where a gateway was killed and is started again while the kernel still ends its processes.
    @Test func anAddressThatIsTakenForAMomentIsWaitedFor() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let dying = try Backend("the dying one", port: port)
        Threads.start {
            usleep(300_000)
            dying.stop()
        }
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port))
        #expect(try Client(port: port).request().status == 200)
        #expect(!gateway.output.contains("cannot listen"))
    }

    @Test func aDeadGatewaysFilesAreTakenOver() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let folder = try TemporaryFolder()
        let manifests = try folder.write("gateway.yaml", Manifests.simple(ports: [port], backend: backend.port))
        func start(_ output: String) throws -> Program {
            try Program(
                Program.built("sluice"),
                [
                    "run", "--workers", "1", "--admin", "unix:\(folder.path)/admin", "--pid-file",
                    folder.path + "/pid", manifests,
                ], output: folder.path + "/" + output)
        }
        let first = try start("first")
        try Wait.until("the first to serve") { (try? Client(port: port).request().status) == 200 }
        #expect(folder.read("pid") == "\(first.pid)\n")
        let second = try start("second")
        #expect(try second.waitForEnd() == .exited(code: 1))
        #expect(second.output.contains("in use by process \(first.pid)"))
        first.signal(SIGKILL)
        _ = try first.waitForEnd()
        let third = try start("third")
        try Wait.until("the third to serve; it printed:\n\(third.output)") {
            (try? Client(port: port).request().status) == 200 && folder.read("pid") == "\(third.pid)\n"
        }
        third.signal(SIGTERM)
        #expect(try third.waitForEnd() == .exited(code: 0))
        #expect(access(folder.path + "/pid", F_OK) != 0 && access(folder.path + "/admin", F_OK) != 0)
    }

    /// What every worker would die of ends the start instead of being tried again and again.
    @Test func aLogThatCannotBeOpenedIsAFailedStart() throws {
        let backend = try Backend()
        let gateway = try Gateway(
            ["gateway.yaml": Manifests.simple(ports: [Ports.free()], backend: backend.port)],
            options: ["--access-log", "text:/nowhere/at/all"], waitUntilReady: false)
        #expect(try gateway.program.waitForEnd() == .exited(code: 1))
        #expect(gateway.output.contains("the access log cannot be opened"))
    }

    @Test func rotatedLogsAreReopened() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let logs = try TemporaryFolder()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), workers: 2,
            options: ["--access-log", "text:\(logs.path)/access"])
        #expect(try Client(port: port).request("GET", "/before").status == 200)
        try Wait.until("the first line") { logs.read("access").contains("/before") }
        #expect(rename(logs.path + "/access", logs.path + "/access.1") == 0)
        gateway.program.signal(SIGUSR1)
        try Wait.until("another file") { access(logs.path + "/access", F_OK) == 0 }
        // Each worker opens it in its own time: from then on nothing goes to the old one.
        try Wait.until("a line in the new file") {
            _ = try Client(port: port).request("GET", "/after")
            return logs.read("access").contains("/after")
        }
        #expect(logs.read("access.1").contains("/before") && !logs.read("access").contains("/before"))
    }

    @Test func anUnknownUserIsSaid() throws {
        let gateway = try Gateway(
            ["gateway.yaml": ""], options: ["--user", "nobody-of-this-name"], waitUntilReady: false)
        #expect(try gateway.program.waitForEnd() == .exited(code: 1))
        #expect(gateway.output.contains("there is no such user"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func rolesGiveUpRootForGood() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            ["gateway.yaml": Manifests.simple(ports: [port], backend: backend.port)], workers: 2,
            options: ["--user", "nobody"])
        let nobody = try #require(getpwnam("nobody"))
        let (uid, gid) = (nobody.pointee.pw_uid, nobody.pointee.pw_gid)
        let roles = [gateway.worker(0), gateway.worker(1), gateway.controller]
        for role in roles {
            let status = TemporaryFolder.text("/proc/\(try #require(role))/status")
            #expect(status.contains("Uid:\t\(uid)\t\(uid)\t\(uid)\t\(uid)\n"))
            #expect(status.contains("Gid:\t\(gid)\t\(gid)\t\(gid)\t\(gid)\n"))
            #expect(status.contains("CapEff:\t0000000000000000\n") && status.contains("CapPrm:\t0000000000000000\n"))
            #expect(status.contains("NoNewPrivs:\t1\n"))
        }
        #expect(TemporaryFolder.text("/proc/\(gateway.program.pid)/status").contains("Uid:\t0\t0\t0\t0\n"))
        #expect(try Client(port: port).request().status == 200)
        // Who replaces a dead one gives it up, too; and it dies with the supervisor, although the change of user has
        // cleared what it had asked for before.
        let before = try #require(gateway.worker(0))
        kill(before, SIGKILL)
        let after = try Wait.forValue("another worker") { gateway.worker(0).flatMap { $0 != before ? $0 : nil } }
        try Wait.until("it to be nobody") {
            TemporaryFolder.text("/proc/\(after)/status").contains("Uid:\t\(uid)\t")
        }
        #expect(try Client(port: port).request().status == 200)
        gateway.program.signal(SIGKILL)
        _ = try gateway.program.waitForEnd()
        try Wait.until("the worker to end") {
            let state = TemporaryFolder.text("/proc/\(after)/stat")
            return state.isEmpty || state.contains(") Z ")
        }
    }
}
