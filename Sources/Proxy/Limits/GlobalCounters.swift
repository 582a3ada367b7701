import Core
import Glibc
import IO
import Names
import Redis
import TLS
import Telemetry

/// The counters of global rate limits in a Redis server, which several gateways share (`--rate-limit-redis`): one connection
/// of this worker, on which questions follow each other without waiting.
///
///     away ─ name looked up ─▶ connecting ─▶ greeting ─ answered ─▶ reachable
///      ▲──────────── refused, broken, or an answer later than `patience` ◀──────┘
///
/// A question is two commands (INCRBY, EXPIRE) under a key that names rule, values and window; windows follow the wall
/// clock, so that gateways agree on them. Nobody waits longer than ``patience``: whoever still waits then is counted in this
/// gateway, and so is everybody until the server answers again.
final class GlobalCounters: EventSource {
    /// The longest that a request waits for an answer.
    static let patience = TimeAmount.milliseconds(50)
    /// Until a connection is made and greeted.
    static let connectPatience = TimeAmount.seconds(2)
    /// Between attempts to reach the server: doubled each time, up to the longest.
    static let shortestPause = TimeAmount.milliseconds(100)
    static let longestPause = TimeAmount.seconds(5)
    /// Questions under way; further ones are counted in this gateway.
    static let questionLimit = 4096
    /// Octets of values that stand in a key as they are; more are hashed.
    static let longestValues = 256

    /// One count, of one rule, for one request.
    struct Question {
        var key: ByteView
        /// What tells the rule's counters apart; empty: it has one.
        var values: ByteView
        var cost: UInt32
        var unit: TimeAmount
    }

    private enum State {
        case away, resolving, connecting
        case greeting(replies: Int)
        case reachable
    }

    /// A question whose two answers are still to come.
    private struct Pending {
        /// Nil: nobody waits for the answer.
        var exchange: Exchange?
        var ticket: UInt64 = 0
        var rule = 0
        var asked = Instant(nanoseconds: 0)
        /// Wall clock, when the window ends.
        var windowEnd: Int64 = 0
        var isCounted = false
    }

    private let worker: Worker
    private let address: RedisAddress
    private let dnsServers: String?
    private var resolver: NameResolver?
    private var state = State.away
    private var fd: SharedFD?
    private var replies = RedisReplies()
    private var output = ByteBuffer()
    private var input = ByteBuffer()
    private var key = ByteBuffer()
    private var mayWrite = false
    /// A ring, in the order of asking.
    private var pending = [Pending](repeating: Pending(), count: GlobalCounters.questionLimit)
    private var first = 0
    private var count = 0
    private var ticket: UInt64 = 0
    private var pause = GlobalCounters.shortestPause
    /// The last change was told as the server being there; nil: nothing was told yet.
    private var toldReachable: Bool?

    init(worker: Worker, address: RedisAddress, dnsServers: String?) {
        self.worker = worker
        self.address = address
        self.dnsServers = dnsServers
        super.init()
        worker.loop.atEndOfTurn { [unowned self] in if !output.isEmpty { flush() } }
        begin()
    }

    var isReachable: Bool {
        if case .reachable = state { true } else { false }
    }

    // MARK: questions

    /// A number under which the next questions of one exchange are known.
    func newTicket() -> UInt64 {
        ticket += 1
        return ticket
    }

    /// False: too many questions are under way.
    /// - Parameters:
    ///   - rule: told with the answer.
    ///   - exchange: who waits; nil: nobody.
    func ask(_ question: Question, of rule: Int, for exchange: Exchange?, ticket: UInt64 = 0) -> Bool {
        guard isReachable, count < Self.questionLimit else { return false }
        let seconds = max(1, question.unit.nanoseconds / 1_000_000_000)
        let now = worker.loop.wallNow / 1_000_000_000
        let window = now / seconds * seconds
        key.clear()
        key.append(question.key)
        key.append("|")
        if question.values.count <= Self.longestValues {
            key.append(question.values)
        } else {
            key.append(string: Digest.sha1Base64(question.values))
        }
        key.append("|")
        key.append(decimal: UInt64(max(0, window)))
        RedisCommand.count(UInt64(question.cost), under: key.view, seconds: UInt64(seconds), to: &output)
        pending[(first + count) % Self.questionLimit] = Pending(
            exchange: exchange, ticket: ticket, rule: rule, asked: worker.loop.now,
            windowEnd: (window + seconds) * 1_000_000_000)
        count += 1
        if count == 1 { worker.loop.setDeadline(self, worker.loop.now + Self.patience) }
        return true
    }

    /// Nobody waits any more for the last questions of this exchange.
    func forget(_ exchange: Exchange) {
        var left = count
        while left > 0 {
            let place = (first + left - 1) % Self.questionLimit
            guard pending[place].exchange === exchange else { return }
            pending[place].exchange = nil
            left -= 1
        }
    }

    private func popFirst() -> Pending {
        precondition(count > 0, "an answer to no question")
        let head = pending[first]
        pending[first].exchange = nil
        first = (first + 1) % Self.questionLimit
        count -= 1
        return head
    }

    // MARK: the connection

    private func begin() {
        if let ip = IPAddress(address.host) { return connect(SocketAddress(ip: ip, port: address.port)) }
        state = .resolving
        let resolver = resolver ?? NameResolver(loop: worker.loop, servers: dnsServers)
        self.resolver = resolver
        worker.loop.setDeadline(self, worker.loop.now + Self.connectPatience)
        resolver.lookUp(address.host) { [unowned self] answer in
            guard case .resolving = state else { return }
            switch answer {
            case .addresses(let found, _):
                guard let ip = found.first else { return lost("the name has no address") }
                connect(SocketAddress(ip: ip, port: address.port))
            case .failed(let why): lost(why)
            }
        }
    }

    private func connect(_ place: SocketAddress) {
        state = .connecting
        do throws(Errno) {
            let fd = SharedFD(try Socket.connect(place))
            self.fd = fd
            worker.loop.add(fd.raw, self)
            worker.loop.setDeadline(self, worker.loop.now + Self.connectPatience)
        } catch {
            lost(error.description)
        }
    }

    override func ready(_ events: ReadyEvents) {
        guard let fd else { return }
        if case .connecting = state {
            guard events.has(.anyForWriting) else { return }
            if let error = Socket.pendingError(fd.raw) { return lost(error.description) }
            replies = RedisReplies()
            state = .greeting(replies: RedisCommand.greet(address, to: &output))
            mayWrite = true
            return flush()
        }
        if events.has(.anyForWriting) {
            mayWrite = true
            flush()
        }
        if self.fd === fd, events.has(.anyForReading) { receive(fd) }
    }

    private func flush() {
        guard let fd, mayWrite else { return }
        while !output.isEmpty {
            switch SystemCalls.send(fd.raw, output.view) {
            case .octets(let count): output.consume(count)
            case .wouldBlock:
                mayWrite = false
                return
            case .endOfFile: return lost("the connection is closed")
            case .failed(let error): return lost(error.description)
            }
        }
        output.clear()
    }

    private func receive(_ fd: SharedFD) {
        while self.fd === fd {
            input.clear()
            input.makeRoom(16 * 1024)
            switch SystemCalls.receive(fd.raw, into: &input) {
            case .octets:
                replies.feed(input.view)
                takeReplies()
            case .wouldBlock: return
            case .endOfFile: return lost("the connection is closed")
            case .failed(let error): return lost(error.description)
            }
        }
    }

    private func takeReplies() {
        do throws(RedisReplies.ProtocolError) {
            while fd != nil, let reply = try replies.next() { take(reply) }
        } catch {
            lost("it does not speak as a Redis server does")
        }
    }

    private func take(_ reply: RedisReplies.Reply) {
        if case .error(let text) = reply { return lost(text) }
        switch state {
        case .greeting(let replies):
            if replies > 1 {
                state = .greeting(replies: replies - 1)
                return
            }
            state = .reachable
            pause = Self.shortestPause
            worker.statistics.set(.rateLimitServiceNow, 1)
            worker.loop.suspendDeadline(self)
            if toldReachable == false {
                worker.log.info(
                    "global rate limits are counted in Redis again", ["address": .init(address.description)])
            }
            toldReachable = true
        case .reachable: answered(reply)
        case .away, .resolving, .connecting: preconditionFailure("a reply without a connection")
        }
    }

    /// The first answer to a question is the count, the second says that the counter will be forgotten.
    private func answered(_ reply: RedisReplies.Reply) {
        guard count > 0, case .integer(let number) = reply else { return lost("it answers what was not asked") }
        guard pending[first].isCounted else {
            pending[first].isCounted = true
            let question = pending[first]
            pending[first].exchange = nil
            question.exchange?.counted(
                UInt64(max(0, number)), ofRule: question.rule, ticket: question.ticket,
                reset: .nanoseconds(max(0, question.windowEnd - worker.loop.wallNow)))
            return
        }
        _ = popFirst()
        if count > 0 {
            worker.loop.setDeadline(self, pending[first].asked + Self.patience)
        } else {
            worker.loop.suspendDeadline(self)
        }
    }

    // MARK: away

    override func deadlinePassed(now: Instant) {
        switch state {
        case .away: begin()
        case .resolving, .connecting, .greeting: lost("it does not answer")
        case .reachable:
            guard count > 0 else { return }
            let due = pending[first].asked + Self.patience
            if now >= due { return lost("it answers too late") }
            worker.loop.setDeadline(self, due)
        }
    }

    /// The server is away: who waits is counted here, and it is tried again after a pause.
    private func lost(_ why: String) {
        if let fd { worker.loop.remove(fd.raw) }
        fd = nil
        state = .away
        mayWrite = false
        output.clear()
        worker.statistics.set(.rateLimitServiceNow, 0)
        if toldReachable != false {
            toldReachable = false
            worker.log.warning(
                "Redis is away: global rate limits are counted in this gateway alone",
                ["address": .init(address.description), "reason": .text(why)])
        }
        worker.loop.setDeadline(self, worker.loop.now + pause)
        pause = min(.nanoseconds(pause.nanoseconds * 2), Self.longestPause)
        // Whoever is counted here now may begin other exchanges; they are not asked for any more.
        while count > 0 {
            let question = popFirst()
            question.exchange?.countHere(ticket: question.ticket)
        }
    }
}
