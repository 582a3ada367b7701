import Config
import Connection
import Core
import HTTP
import IO
import Telemetry

/// A copy of a request on its way to a mirror; its response is read and thrown away (HTTPRequestMirrorFilter).
///
/// Owns its connection and itself while it lasts. It never holds its original up: when it is more than
/// ``ExchangeLimits/mirrorBacklog`` behind, or anything fails, it is given up and counted.
final class Mirror: ConnectionOwner {
    private let worker: Worker
    private let endpoint: Endpoint
    private let method: Method
    private var connection: HTTP1ClientConnection?
    private var whileActive: Mirror?
    private var backlog = ByteBuffer()
    private var isConnected: Bool
    private var isBodyComplete: Bool
    private var isSent = false
    /// The final response's head was read; its body follows.
    private var isHeadTaken = false
    private var persists = false

    /// - Parameter writeHead: appends the request's head to the connection's output.
    init?(
        to endpoint: Endpoint, worker: Worker, method: Method, framing: BodyFraming,
        writeHead: (inout ByteBuffer) -> Void
    ) {
        self.worker = worker
        self.endpoint = endpoint
        self.method = method
        isBodyComplete = framing == .none || framing == .length(octets: 0)
        isConnected = false
        super.init()
        if let idle = endpoint.takeIdle(for: self) {
            connection = idle
            isConnected = true
        } else {
            guard let made = try? HTTP1ClientConnection(to: endpoint.address, owner: self, resources: worker.resources)
            else {
                worker.statistics.increment(.mirrorFailures)
                return nil
            }
            connection = made
        }
        guard let connection else { return nil }
        worker.mirrorsNow += 1
        worker.statistics.increment(.mirroredRequests)
        worker.resources.buffers.supply(&connection.output)
        writeHead(&connection.output)
        switch framing {
        case .none, .untilClose: connection.outgoing = .none
        case .length(let octets): connection.outgoing = octets == 0 ? .none : .length(remaining: octets)
        case .chunked: connection.outgoing = .chunked
        }
        whileActive = self
        worker.loop.setDeadline(
            self, worker.loop.now + (isConnected ? worker.limits.streamIdle : worker.limits.connect))
        if isConnected { pump() }
    }

    func append(_ content: ByteView) {
        guard connection != nil else { return }
        if backlog.count + content.count > ExchangeLimits.mirrorBacklog { return abandon() }
        if backlog.start > 0 { backlog.compact() }
        backlog.append(content)
        guard isConnected else { return }
        worker.loop.setDeadline(self, worker.loop.now + worker.limits.streamIdle)
        pump()
    }

    func bodyEnded() {
        isBodyComplete = true
        if isConnected { pump() }
    }

    /// Gives up: the original broke off, or the mirror failed.
    func abandon() {
        guard connection != nil else { return }
        worker.statistics.increment(.mirrorFailures)
        connection?.close()
        end()
    }

    private func end() {
        worker.loop.clearDeadline(self)
        worker.mirrorsNow -= 1
        connection = nil
        backlog.release()
        whileActive = nil
    }

    // MARK: events

    override func connected(_ connection: HTTP1ClientConnection, error: Errno?) {
        if error != nil {
            self.connection = nil
            worker.statistics.increment(.mirrorFailures)
            return end()
        }
        isConnected = true
        worker.statistics.upstreamConnected(endpoint: endpoint.slot)
        worker.loop.setDeadline(self, worker.loop.now + worker.limits.streamIdle)
        pump()
    }

    override func readable(_ connection: HTTP1Connection) { pump() }
    override func writable(_ connection: HTTP1Connection) { pump() }
    override func deadlinePassed(now: Instant) { abandon() }

    private func pump() {
        guard let connection else { return }
        send(connection)
        if connection.failure != nil, !connection.mayRead { return abandon() }
        discardResponse(connection)
    }

    private func send(_ connection: HTTP1ClientConnection) {
        // A chunk is bounded by one block: what is left needs another, and no event would tell that there is room.
        while !backlog.isEmpty, connection.failure == nil {
            backlog.consume(connection.write(body: backlog.view))
            if !backlog.isEmpty, !connection.flush() || !connection.mayWrite { return }
        }
        if isBodyComplete, !isSent, backlog.isEmpty {
            connection.endBody()
            isSent = true
        }
        _ = connection.flush()
    }

    /// Reads the response away, so much a turn.
    private func discardResponse(_ connection: HTTP1ClientConnection) {
        var interims = 0
        while !isHeadTaken {
            if interims == ExchangeLimits.interimsPerTurn { return worker.loop.again(connection) }
            switch connection.readHead(for: method) {
            case .waiting: return
            case .endOfFile, .failed, .refused: return abandon()
            case .complete:
                let status = connection.response?.head.status ?? 0
                // Nobody will speak the other protocol.
                if status == 101 { return abandon() }
                persists = connection.response?.head.persistence == .keepAlive
                connection.dropHead()
                if status >= 200 { isHeadTaken = true } else { interims += 1 }
            }
        }
        var discarded = 0
        while true {
            switch connection.incoming.next(&connection.input) {
            case .data(let run):
                discarded += run.count
                connection.incoming.consume(run.count, from: &connection.input)
                if discarded > Relay.octetsPerTurn { return worker.loop.again(connection) }
            case .needMore:
                switch connection.fill() {
                case .more: continue
                case .nothing: return
                case .endOfFile where connection.incoming.isUntilClose: connection.incoming.endByClose()
                case .endOfFile, .failed, .full: return abandon()
                }
            case .refused: return abandon()
            case .complete:
                connection.incoming.dropTrailers(from: &connection.input)
                if persists, isSent { endpoint.giveBack(connection) } else { connection.close() }
                return end()
            }
        }
    }
}

extension Exchange {
    /// Starts the copies that the filters ask for; each in its share of the requests.
    func startMirrors(_ rule: FilterConfig, _ backend: FilterConfig, hasBody: Bool) {
        // A tunnel has two ends: a third would only be told its beginning.
        guard let message = downstream?.request, let configuration, !message.head.upgradesToWebSocket else { return }
        for table in [rule.mirrors, backend.mirrors] {
            for i in 0..<Int(table.count) {
                let config = snapshot[table, i].pointee
                guard config.cluster != BackendConfig.invalid,
                    worker.random.next() % UInt64(max(1, config.denominator)) < UInt64(config.numerator),
                    let endpoint = configuration.cluster(config.cluster, of: worker).next(avoiding: nil)
                else { continue }
                guard worker.mirrorsNow < worker.limits.mirrors else {
                    worker.statistics.increment(.mirrorFailures)
                    continue
                }
                let mirror = Mirror(
                    to: endpoint, worker: worker, method: message.head.method, framing: message.head.framing,
                    writeHead: { writeRequestHead(to: &$0) })
                if let mirror, hasBody { tapForBody().mirrors.append(mirror) }
            }
        }
    }
}
