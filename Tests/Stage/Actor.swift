import Core
import Glibc
import IO

/// What the roles of a staged family have in common.
enum Actor {
    static func play(_ role: String, _ index: Int, _ arguments: [String]) -> Int32 {
        var options = RunOptions()
        options.workers = Int(arguments[0])!
        // A word of the script says how this one's life begins: `crash`, or a number to exit with.
        if let word = getenv(role == "worker" ? "STAGE_WORKER" : "STAGE_CONTROLLER").map({ String(cString: $0) }) {
            if word == "crash" { fatalError("as the script says") }
            if let code = Int32(word) { return code }
        }
        do {
            let loop = EventLoop()
            if role == "worker" {
                let start = try RoleEntry.worker(index: index, options: options, identity: nil)
                let actor = WorkerActor(start, loop)
                return actor.play()
            }
            let start = try RoleEntry.controller(options: options, identity: nil)
            let actor = ControllerActor(start, loop)
            return actor.play()
        } catch {
            print("actor cannot begin: \(error)")
            return RoleExit.unable
        }
    }
}

/// Answers a line on each connection; `trap` makes it die, `hold` keeps the connection until the drain ends.
final class WorkerActor: EventSource {
    private let start: WorkerStart
    private let loop: EventLoop
    private var listeners: [UInt32: SharedFD] = [:]
    private var held: [CInt] = []
    private var generation: UInt64 = 0
    private var text = ""
    private var sources: [ListenerActor] = []

    init(_ start: WorkerStart, _ loop: EventLoop) {
        self.start = start
        self.loop = loop
    }

    func play() -> Int32 {
        loop.addReader(start.link.descriptor, self)
        start.link.send(.ready)
        loop.run()
        return RoleExit.done
    }

    override func ready(_ events: ReadyEvents) {
        while true {
            switch start.link.receive() {
            case .message(let order): obey(order)
            case .nothing: return
            case .closed, .malformed: exit(1)
            }
        }
    }

    private func obey(_ order: WorkerOrder) {
        switch order {
        case .socket(let id, _, let fd):
            listeners[id] = fd
            let number = fd.raw
            let source = ListenerActor { [unowned self] in acceptAll(number) }
            sources.append(source)
            loop.addReader(fd.raw, source)
        case .closeSocket(let id):
            guard let fd = listeners.removeValue(forKey: id) else { fatalError("told to close what it never had") }
            loop.remove(fd.raw, closing: false)
        case .snapshot(let generation, let revision, let fd):
            guard let block = try? SealedBlock(fd.raw) else { fatalError("a snapshot that is not sealed") }
            text = String(decoding: UnsafeRawBufferPointer(start: block.base, count: block.size), as: UTF8.self)
            self.generation = generation
            start.link.send(.live(generation: generation, revision: revision))
        case .drain(let timeout):
            for fd in listeners.values {
                acceptAll(fd.raw)
                loop.remove(fd.raw, closing: false)
            }
            listeners = [:]
            if held.isEmpty { finish() }
            let end = SystemCalls.monotonicNow() + timeout
            while SystemCalls.monotonicNow() < end { loop.turn(limit: 10) }
            finish()
        case .reopenLogs: print("reopened \(start.index)")
        case .quit: exit(RoleExit.done)
        }
    }

    private func finish() -> Never {
        start.link.send(.drained)
        exit(RoleExit.done)
    }

    private func acceptAll(_ listener: CInt) {
        while let (fd, _) = try? Socket.accept(listener) {
            var line = [UInt8](repeating: 0, count: 64)
            var question = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
            poll(&question, 1, 2_000)
            let count = max(0, recv(fd, &line, line.count, 0))
            switch String(decoding: line[..<count], as: UTF8.self) {
            case "trap\n": fatalError("as it was asked")
            case "hang\n": while true { pause() }
            case "hold\n":
                _ = send(fd, "held\n", 5, Int32(MSG_NOSIGNAL))
                held.append(fd)
            default:
                let answer = Array("\(start.index) \(getpid()) \(generation) \(text)\n".utf8)
                _ = send(fd, answer, answer.count, Int32(MSG_NOSIGNAL))
                close(fd)
            }
        }
    }
}

final class ListenerActor: EventSource {
    private let accept: () -> Void
    init(_ accept: @escaping () -> Void) { self.accept = accept }
    override func ready(_ events: ReadyEvents) { accept() }
}

/// Takes one command a connection on the admin socket and answers with what the supervisor said, in a line.
final class ControllerActor: EventSource {
    private let start: ControllerStart
    private let loop: EventLoop
    private var asker: CInt?
    private var hello = ""
    private var news: [String] = []
    private var workers: [WorkerStatus] = []
    private var source: ListenerActor?

    init(_ start: ControllerStart, _ loop: EventLoop) {
        self.start = start
        self.loop = loop
    }

    func play() -> Int32 {
        let source = ListenerActor { [unowned self] in takeCommand() }
        self.source = source
        loop.addReader(start.link.descriptor, self)
        loop.addReader(start.admin!.raw, source)
        loop.run()
        return RoleExit.done
    }

    private func takeCommand() {
        guard asker == nil, let (fd, _) = try? Socket.accept(start.admin!.raw) else { return }
        var line = [UInt8](repeating: 0, count: 4096)
        var question = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        poll(&question, 1, 2_000)
        let count = max(0, recv(fd, &line, line.count, 0))
        asker = fd
        let words = String(decoding: line[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace).map(
            String.init)
        let numbers = words.dropFirst().compactMap { UInt32($0) }
        switch words.first {
        case "bind":
            let ip = IPAddress(v4: 127, 0, 0, 1)
            start.link.send(.bind(numbers.map { ListeningAddress(.tcp, SocketAddress(ip: ip, port: UInt16($0))) }))
        case "release":
            start.link.send(.release(numbers))
            answer("released")
        case "publish":
            // publish GENERATION REVISION TEXT ID…
            let text = Array(words[3].utf8)
            let block = text.withUnsafeBytes { try! SealedBlock.make("snapshot", $0) }
            start.link.send(
                .publish(
                    Publication(
                        generation: UInt64(numbers[0]), revision: UInt64(numbers[1]), snapshot: block,
                        sockets: Array(numbers[2...]), deposit: block)))
            if words[3] == "unanswered" { answer("sent") }
        case "workers":
            answer(
                workers.map {
                    "\($0.index):\($0.state):\($0.pid):\($0.restarts):\($0.lastDeath?.description ?? "-"):\($0.revision)"
                }.joined(separator: " "))
        case "hello": answer(hello)
        case "news": answer(news.joined(separator: " "))
        case "nonsense":
            var octets = [UInt8](repeating: 7, count: 100)
            _ = send(start.link.descriptor, &octets, octets.count, 0)
            answer("sent")
        case "crash": fatalError("as it was asked")
        case "drain":
            start.link.send(.drain)
            answer("sent")
        default: answer("what?")
        }
    }

    private func answer(_ text: String) {
        guard let fd = asker else { return }
        let octets = Array((text + "\n").utf8)
        _ = send(fd, octets, octets.count, Int32(MSG_NOSIGNAL))
        close(fd)
        asker = nil
    }

    override func ready(_ events: ReadyEvents) {
        while true {
            switch start.link.receive() {
            case .message(let message): take(message)
            case .nothing: return
            case .closed, .malformed: exit(1)
            }
        }
    }

    private func take(_ message: ControllerNews) {
        switch message {
        case .hello(let hello):
            let deposit = hello.current?.deposit.flatMap { try? SealedBlock($0.raw) }
            let text = deposit.map {
                String(decoding: UnsafeRawBufferPointer(start: $0.base, count: $0.size), as: UTF8.self)
            }
            self.hello =
                "workers=\(hello.workers) restarts=\(hello.restarts) bound=\(hello.bound.count) "
                + "revision=\(hello.current?.revision ?? 0) deposit=\(text ?? "-")"
        case .bound(let bindings):
            answer(
                bindings.map {
                    switch $0.outcome {
                    case .bound(let id): "\(id)"
                    case .failed(let errno): "errno\(errno.code)"
                    }
                }.joined(separator: " "))
        case .published(let generation, let revision, let workers): answer("\(generation) \(revision) \(workers)")
        case .reload: news.append("reload")
        case .reopenLogs: news.append("reopen")
        case .drainBegan(_, let timeout): news.append("drain:\(timeout.milliseconds)")
        case .workers(let list): workers = list
        case .quit: exit(RoleExit.done)
        }
    }
}
