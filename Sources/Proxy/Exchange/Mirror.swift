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
    private var connection: ClientStream?
    private var whileActive: Mirror?
    private var head = ByteBuffer()
    private let framing: OutgoingFraming
    private var backlog = ByteBuffer()
    private var isConnected: Bool
    private var isBodyComplete: Bool
    private var isSent = false
    /// The final response's head was read; its body follows.
    private var isHeadTaken = false
    private var persists = false

    /// - Parameter writeHead: appends the request's head.
    init?(
        to endpoint: Endpoint, worker: Worker, method: Method, framing: OutgoingFraming,
        writeHead: (inout ByteBuffer) -> Void
    ) {
        self.worker = worker
        self.endpoint = endpoint
        self.method = method
        isBodyComplete = framing == .none
        isConnected = false
        self.framing = framing
        super.init()
        connection = endpoint.lease(for: self)
        isConnected = connection != nil
        if !isConnected {
            do throws(Errno) {
                try endpoint.connect(for: self)
            } catch {
                worker.statistics.increment(.mirrorFailures)
                return nil
            }
        }
        worker.mirrorsNow += 1
        worker.statistics.increment(.mirroredRequests)
        writeHead(&head)
        whileActive = self
        worker.loop.setDeadline(
            self, worker.loop.now + (isConnected ? worker.limits.streamIdle : worker.limits.connect))
        if let connection {
            sendHead(connection)
            pump()
        }
    }

    private func sendHead(_ connection: ClientStream) {
        worker.resources.buffers.supply(&connection.output)
        connection.output.append(head.view)
        head.release()
        connection.headWritten(framing: framing)
    }

    func append(_ content: ByteView) {
        guard whileActive != nil else { return }
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
        guard whileActive != nil else { return }
        worker.statistics.increment(.mirrorFailures)
        if !isConnected { endpoint.cancel(self) }
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

    override func connected(_ stream: ClientStream) {
        connection = stream
        isConnected = true
        worker.loop.setDeadline(self, worker.loop.now + worker.limits.streamIdle)
        sendHead(stream)
        pump()
    }

    override func connectFailed(_ failure: ConnectFailure) {
        worker.statistics.increment(.mirrorFailures)
        end()
    }

    override func readable(_ connection: MessageStream) { pump() }
    override func writable(_ connection: MessageStream) { pump() }
    override func deadlinePassed(now: Instant) { abandon() }

    private func pump() {
        guard let connection else { return }
        send(connection)
        if connection.failure != nil, !connection.mayRead { return abandon() }
        discardResponse(connection)
    }

    private func send(_ connection: ClientStream) {
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
    private func discardResponse(_ connection: ClientStream) {
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
                connection.contentTaken(run.count)
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
                connection.release(keeps: persists && isSent)
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
                    let endpoint = configuration.cluster(config.cluster, of: worker).next()
                else { continue }
                guard worker.mirrorsNow < worker.limits.mirrors else {
                    worker.statistics.increment(.mirrorFailures)
                    continue
                }
                let mirror = Mirror(
                    to: endpoint, worker: worker, method: message.head.method, framing: requestFraming(message),
                    writeHead: { writeRequestHead(to: &$0) })
                guard let mirror, hasBody else { continue }
                let recorder = tapForBody()
                // A request that was buffered is here already, and will not pass the tap again.
                if !recorder.kept.isEmpty { mirror.append(recorder.kept) }
                recorder.mirrors.append(mirror)
            }
        }
    }
}
