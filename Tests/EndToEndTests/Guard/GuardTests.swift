import Core
import Glibc
import IO
import Support
import Synchronization
import Testing

/// What happens to clients when the whole gateway goes and comes, with a guard beside it.
@Suite(.serialized) struct GuardTests {
    /// Asks without pause, each time on a new connection, and says who answered.
    private func ask(_ site: GuardedSite, until answerer: String) throws -> (refused: Int, others: [String]) {
        var refused = 0
        var others: [String] = []
        try Wait.until("an answer of \(answerer); \(others); \(site.keeperOutput)") {
            do {
                let text = try site.whom()
                if text != answerer { others.append(text) }
                return text == answerer
            } catch {
                refused += 1
                return false
            }
        }
        return (refused, others)
    }

    @Test func killedFamilyIsStoodInForAndComesBack() throws {
        let site = try GuardedSite()
        try site.startGateway()
        #expect(try site.whom() == "local")
        try site.waitForStatus("standing by: gateway")
        #expect(try site.status().code == .exited(code: 0))
        for _ in 0..<3 {
            let load = Load(port: site.port, clients: 4)
            try load.waitForMore(40)
            try site.killGateway()
            let gone = try ask(site, until: "central")
            #expect(gone.refused == 0 && gone.others.isEmpty)
            try load.waitForMore(40)
            #expect(try site.status().code == .exited(code: 1))
            try site.startGateway()
            let watch = Stopwatch()
            let back = try ask(site, until: "local")
            #expect(back.refused == 0 && watch.elapsed < .seconds(5))
            try load.waitForMore(40)
            let tally = try load.stop()
            // Nothing worse than one exchange of each connection that was open.
            #expect(tally.refused == 0 && tally.broken <= 4 && tally.wrong.isEmpty, "\(tally)")
        }
        #expect(site.keeperOutput.contains("the guard accepts in the gateway's place"))
        #expect(site.keeperOutput.contains("the gateway is back"))
        #expect(site.gateway?.output.contains("listening sockets came from the guard") == true)
    }

    @Test func whatWaitsInTheSocketsIsServedByTheNextFamily() throws {
        // Nobody is named to stand in: connections wait.
        let site = try GuardedSite(options: [])
        try site.startGateway()
        #expect(try site.whom() == "local")
        try site.waitForStatus("connections wait")
        try Wait.until("the gateway to warn of it; \(site.gateway?.output ?? "")") {
            site.gateway?.output.contains("warning supervisor: connections would wait while the gateway is gone")
                == true
        }
        #expect(site.gateway?.output.contains("addresses=127.0.0.1:\(site.port) count=1") == true)
        try site.killGateway()
        try site.waitForStatus("standing in: the gateway is gone, connections wait: there is nobody to relay them to")
        let clients = try (0..<20).map { _ in try Client(port: site.port) }
        for client in clients { try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        try site.startGateway()
        for client in clients { #expect(try client.readResponse().text == "local") }
    }

    @Test func someAddressesAreRelayedAndTheOthersWait() throws {
        let site = try GuardedSite(options: [])
        let covered = try Ports.free()
        let manifest =
            Manifests.simple(ports: [site.port], backend: site.local.port) + """
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata:
                  name: covered
                  namespace: default
                  annotations: {sluice.dev/group: by-name, sluice.dev/fallback-gateway: '\(site.central.address)'}
                spec:
                  gatewayClassName: sluice
                  addresses: [{type: IPAddress, value: 127.0.0.1}]
                  listeners: [{name: http, protocol: HTTP, port: \(covered)}]
                """
        try site.startGateway(manifest: manifest)
        try site.waitForStatus("connections wait")
        try site.waitForStatus("127.0.0.1:\(covered): 2 sockets, to \(site.central.address)")
        try Wait.until("the gateway to warn of one") {
            site.gateway?.output.contains("addresses=127.0.0.1:\(site.port) count=1") == true
        }
        try site.killGateway()
        let some = "standing in: the gateway is gone, connections are relayed, but those to 1 of 2 addresses wait"
        try site.waitForStatus(some)
        #expect(try Client(port: covered).request().text == "central")
    }

    @Test(arguments: [(1, 3), (3, 1)])
    func theNextFamilyMayHaveAnotherNumberOfWorkers(first: Int, second: Int) throws {
        let site = try GuardedSite()
        try site.startGateway(workers: first)
        try site.waitForStatus("\(site.port): \(first) sockets")
        try site.killGateway()
        for _ in 0..<20 { #expect(try site.whom() == "central") }
        try site.startGateway(workers: second)
        try site.waitForStatus("\(site.port): \(second) sockets")
        for _ in 0..<20 { #expect(try site.whom() == "local") }
    }

    @Test func theOrderOfStartsDoesNotMatter() throws {
        let site = try GuardedSite(keeps: false)
        try site.startGateway()
        #expect(try site.whom() == "local")
        #expect(site.gateway?.output.contains("there is no guard") == true)
        try site.startKeeper()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        #expect(try ask(site, until: "central").refused == 0)
    }

    @Test func aKilledGuardDisturbsNobodyAndTheNextIsTold() throws {
        let site = try GuardedSite()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        let load = Load(port: site.port, clients: 4)
        try load.waitForMore(20)
        try site.killKeeper()
        try load.waitForMore(200)
        let tally = try load.stop()
        #expect(tally.isClean, "\(tally)")
        try site.startKeeper()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        #expect(try ask(site, until: "central").refused == 0)
    }

    @Test func withBothKilledTheyBeginAnew() throws {
        let site = try GuardedSite()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        try site.killKeeper()
        // Its processes go with it, but not at the same moment.
        try Wait.until("the port to be closed") { Ports.isClosed(site.port) }
        try site.startKeeper()
        try site.startGateway()
        #expect(try site.whom() == "local")
        try site.waitForStatus("standing by: gateway")
    }

    @Test func aPlannedStopHandsOverAndTheGuardsOwnEndsIt() throws {
        let site = try GuardedSite()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        let load = Load(port: site.port, clients: 4)
        try load.waitForMore(20)
        try site.stopGateway()
        #expect(try site.whom() == "central")
        try load.waitForMore(20)
        let tally = try load.stop()
        #expect(tally.isClean, "\(tally)")
        #expect(site.keeperOutput.contains("the gateway leaves"))
        site.keeper?.signal(SIGTERM)
        #expect(try site.keeper?.waitForEnd() == .exited(code: 0))
        // Its processes go with it, but not at the same moment.
        try Wait.until("the port to be closed") { Ports.isClosed(site.port) }
        #expect(throws: Errno(ENOENT)) { try MessageSocket.connect(path: site.socket).raw }
    }

    @Test func aReloadTellsTheGuard() throws {
        let site = try GuardedSite()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        let other = try Ports.free()
        try site.gateway?.reload(["gateway.yaml": Manifests.simple(ports: [other], backend: site.local.port)])
        try site.waitForStatus("\(other): 2 sockets")
        #expect(site.gateway?.output.contains("connections would wait") == false)
        #expect(try !site.status().text.contains(":\(site.port): "))
        try Wait.until("the old port to be closed") { Ports.isClosed(site.port) }
        try site.killGateway()
        #expect(try Client(port: other).request().text == "central")
    }

    // MARK: hostile neighbours

    @Test func garbageCostsItsSenderTheLinkAndNobodyElse() throws {
        let site = try GuardedSite()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        var random = SeededRandom(seed: 11)
        for round in 0..<50 {
            let stranger = try MessageSocket.connect(path: site.socket)
            if round % 2 == 0 {
                var octets = (0..<Int(1 + random.next() % 400)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                send(stranger.raw, &octets, octets.count, Int32(MSG_NOSIGNAL))
            } else {
                // A second family is not one; and what it sends is not taken.
                let link = MessageLink<GuardReport, GuardOrder>(fd: stranger)
                link.send(.hello(version: GuardProtocol.version))
                link.send(.leaving)
                var question = pollfd(fd: link.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&question, 1, 5_000)
                guard case .message(.refused) = link.receive() else {
                    Issue.record("a second family was taken in")
                    continue
                }
            }
        }
        try site.waitForStatus("standing by: gateway")
        for _ in 0..<20 { #expect(try site.whom() == "local") }
        #expect(site.keeperOutput.contains("a second gateway was turned away"))
        try site.killGateway()
        #expect(try ask(site, until: "central").refused == 0)
    }

    @Test func aFamilyThatSendsWhatIsNoSocketIsDropped() throws {
        let site = try GuardedSite()
        let link = MessageLink<GuardReport, GuardOrder>(fd: try MessageSocket.connect(path: site.socket))
        link.send(.hello(version: GuardProtocol.version))
        let memory = SharedFD(try SharedMemory.make("test", size: 4096))
        let address = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: site.port)
        link.send(.sockets(SharedSockets(address: address, first: 0, count: 1, sockets: [memory])))
        link.send(.serving)
        try Wait.until("the link to be closed") {
            while true {
                switch link.receive() {
                case .closed: return true
                case .nothing: return false
                default: continue
                }
            }
        }
        #expect(try site.status().text.contains("empty"))
    }

    /// A family that ended while it told of its sockets: the next one takes those that came.
    @Test func apartOfAnAddressIsGivenBack() throws {
        let site = try GuardedSite()
        let address = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: site.port)
        func family() throws -> (MessageLink<GuardReport, GuardOrder>, held: Int) {
            let link = MessageLink<GuardReport, GuardOrder>(fd: try MessageSocket.connect(path: site.socket))
            link.send(.hello(version: GuardProtocol.version))
            var held = 0
            var isDone = false
            try Wait.until("what is held to be told") {
                while true {
                    switch link.receive() {
                    case .message(.held(let shared)): held += shared.sockets.count
                    case .message(.allHeld): isDone = true
                    case .message: return false
                    case .nothing: return isDone
                    default: throw Errno(EPIPE)
                    }
                }
            }
            return (link, held)
        }
        do {
            let first = try family()
            #expect(first.held == 0)
            let socket = SharedFD(try Socket.listen(address))
            first.0.send(.sockets(SharedSockets(address: address, first: 0, count: 9, sockets: [socket])))
        }
        // Until the first has gone the second is turned away.
        try Wait.until("its one socket to be told of") { (try? family().held) == 1 }
    }

    /// It would relay to itself until no descriptor is left.
    @Test func nothingIsRelayedToAnAddressThatTheGuardItselfHolds() throws {
        // At the port that was called: the gateway listens on any address, this one too.
        let site = try GuardedSite(options: ["--central", "127.0.0.1"])
        try site.startGateway()
        try site.waitForStatus("connections wait")
        try site.killGateway()
        try site.waitForStatus("standing in")
        let client = try Client(port: site.port)
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try site.status().text.contains("relays 0 now, 0 altogether"))
        try site.startGateway()
        #expect(try client.readResponse().text == "local")
    }

    /// While its last relays go on, the next guard has the place.
    @Test func aGuardThatEndsMakesRoomAtOnce() throws {
        let central = try Backend("central") { _, connection, _ in
            try connection.send("begun\n")
            _ = try? connection.readToEnd()
        }
        let site = try GuardedSite(options: ["--central", central.address, "--drain-timeout", "30s"])
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        let client = try Client(port: site.port)
        #expect(try client.readLine() == "begun")
        let first = try #require(site.keeper)
        first.signal(SIGTERM)
        try Wait.until("its place to be free") { (try? MessageSocket.connect(path: site.socket)) == nil }
        try site.startKeeper()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        client.shutdown()
        #expect(try first.waitForEnd() == .exited(code: 0))
        // The socket at the path is the second's.
        try site.waitForStatus("standing by: gateway")
    }

    @Test func descriptorsThatRunOutAreWaitedFor() throws {
        // Descriptors for five connections; the sixth waits until another ends.
        let site = try GuardedSite(options: nil, descriptorLimit: 96)
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        try site.waitForStatus("standing in")
        let answered = Mutex(0)
        for _ in 0..<40 {
            Threads.start {
                guard let client = try? Client(port: site.port), let response = try? client.request() else { return }
                if response.text == "central" { answered.withLock { $0 += 1 } }
                client.shutdown()
            }
        }
        try Wait.until("all to be answered") { answered.withLock { $0 } == 40 }
        let keeper = try #require(site.keeper?.pid)
        let before = Program.cpuTicks(keeper)
        usleep(300_000)
        #expect(Program.cpuTicks(keeper) - before <= 5)
    }

    // MARK: what is relayed

    @Test func halfClosingAndManyOctetsPassBothWays() throws {
        let echo = try Backend("echo") { _, connection, _ in
            let octets = try connection.readToEnd()
            try connection.send(octets)
        }
        let site = try GuardedSite(options: ["--central", echo.address])
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        try site.waitForStatus("standing in")
        let client = try Client(port: site.port)
        let octets = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
        Threads.start {
            try? client.send(octets)
            client.finishSending()
        }
        #expect(try client.readToEnd() == octets)
        try site.waitForStatus("relays 0 now")
    }

    @Test func anotherCentralGatewayIsAskedWhenTheFirstDoesNotAnswer() throws {
        let site = try GuardedSite(keeps: false)
        let nobody = try Ports.free()
        try site.startKeeper(["--central", "127.0.0.1:\(nobody),\(site.central.address)"])
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        for _ in 0..<5 { #expect(try site.whom() == "central") }
        #expect(site.keeperOutput.contains("a central gateway does not answer"))
        // It is there again, and is preferred again.
        let first = try Backend("first", port: nobody)
        try Wait.until("the first to be asked again") { try site.whom() == "first" }
        #expect(site.keeperOutput.contains("a central gateway answers again"))
        first.stop()
        try Wait.until("the second to be asked") { (try? site.whom()) == "central" }
    }

    @Test func theCentralGatewayIsToldWhoTheClientIs() throws {
        let central = try Backend("central") { _, connection, _ in
            let header = try connection.read(28)
            try connection.send("header \(header.map { String($0) }.joined(separator: " "))\n")
        }
        let site = try GuardedSite(options: ["--central", central.address, "--proxy-protocol"])
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        try site.killGateway()
        let client = try Client(port: site.port)
        let words = try client.readLine().split(separator: " ").dropFirst().compactMap { UInt8($0) }
        #expect(words.count == 28)
        #expect(Array(words[12..<24]) == [0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 1])
        #expect(UInt16(words[26]) << 8 | UInt16(words[27]) == site.port)
    }

    @Test func aGuardThatHasNothingToDoDoesNothing() throws {
        let site = try GuardedSite()
        try site.startGateway()
        try site.waitForStatus("standing by: gateway")
        let keeper = try #require(site.keeper?.pid)
        /// Voluntary context switches: each is a wake-up that has ended (proc(5), status).
        func wakeUps() -> Int {
            let text = TemporaryFolder.text("/proc/\(keeper)/status")
            let line = text.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches") } ?? ""
            return Int(line.filter(\.isNumber)) ?? -1
        }
        for _ in 0..<50 { #expect(try site.whom() == "local") }
        let before = wakeUps()
        for _ in 0..<200 { #expect(try site.whom() == "local") }
        #expect(before > 0 && wakeUps() == before)
    }
}
