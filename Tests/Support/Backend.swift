import Core
import Glibc
import IO
import Synchronization

/// A backend of a test: a plain socket on 127.0.0.1 with one thread for each connection.
///
/// By default it answers every request with 200 and its name; a test gives a closure for more, or takes the whole
/// connection for what is no HTTP.
public final class Backend: @unchecked Sendable {
    /// A request as it arrived.
    public struct Request: Sendable {
        public var method = ""
        public var target = ""
        public var version = ""
        public var fields: [(name: String, value: String)] = []
        public var body: [UInt8] = []
        public var trailers: [(name: String, value: String)] = []
        /// Which of the backend's connections brought it, from 0.
        public var connection = 0

        public subscript(name: String) -> String? {
            fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }
        public func all(_ name: String) -> [String] {
            fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        }
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// What is answered.
    public enum Reply: Sendable {
        case response(status: Int = 200, fields: [(String, String)] = [], body: String = "")
        case octets(status: Int = 200, fields: [(String, String)] = [], body: [UInt8])
        case chunked(
            status: Int = 200, fields: [(String, String)] = [], chunks: [String], trailers: [(String, String)] = [])
        /// Sent as it is; then the connection goes on, or is closed.
        case raw(String, thenClose: Bool = false)
        case close
        case reset
        /// Nothing, for as long as the peer stays.
        case silence
    }

    public let name: String
    public let port: UInt16
    private let listener: SharedFD
    private struct State {
        var requests: [Request] = []
        var accepted = 0
        var open: [Int: Client] = [:]
        var stopped = false
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - host: 127.0.0.`host` is listened on.
    ///   - port: 0: any.
    ///   - path: of a Unix socket, in place of a port.
    ///   - answer: called on the connection's thread, several at once; nil: 200 with the name as body.
    public convenience init(
        _ name: String = "backend", host: UInt8 = 1, port: UInt16 = 0, path: String = "",
        answer: (@Sendable (Request) -> Reply)? = nil
    ) throws {
        let answer = answer ?? { _ in .response(body: name) }
        try self.init(name, host: host, port: port, path: path) { backend, connection, number in
            while let request = try backend.readRequest(connection, number) {
                guard try backend.reply(answer(request), to: request, on: connection) else { break }
            }
        }
    }

    /// A backend of octets, in whatever they are wrapped: with the first it says its name and a newline, then it listens.
    public static func saysItsName(_ name: String, host: UInt8 = 1, port: UInt16 = 0) throws -> Backend {
        try Backend(name, host: host, port: port) { _, connection, _ in
            _ = try connection.read(1)
            try connection.send(name + "\n")
            _ = try? connection.readToEnd()
        }
    }

    /// A backend that does what it likes with its connections; they are closed when `serve` returns or throws.
    public init(
        _ name: String = "backend", host: UInt8 = 1, port: UInt16 = 0, path: String = "",
        serve: @escaping @Sendable (Backend, Client, Int) throws -> Void
    ) throws {
        self.name = name
        let place = SocketAddress(ip: IPAddress(v4: 127, 0, 0, host), port: port)
        listener = SharedFD(try path.isEmpty ? Socket.listen(place) : Socket.listen(path: path))
        self.port = path.isEmpty ? Socket.localAddress(listener.raw)?.port ?? port : 0
        let listener = listener
        Threads.start { [weak self] in
            while true {
                var question = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
                let ready = poll(&question, 1, 50)
                guard let self, !self.state.withLock({ $0.stopped }) else { return }
                guard ready > 0, let accepted = try? Socket.accept(listener.raw) else { continue }
                let connection = Client(adopting: OwnedFD(adopting: accepted.fd), patience: .seconds(60))
                let number = self.state.withLock { state in
                    state.accepted += 1
                    state.open[state.accepted - 1] = connection
                    return state.accepted - 1
                }
                Threads.start { [weak self] in
                    if let self { try? serve(self, connection, number) }
                    connection.shutdown()
                    self?.state.withLock { _ = $0.open.removeValue(forKey: number) }
                }
            }
        }
    }

    deinit { stop() }

    /// Closes the port and every connection.
    public func stop() {
        let open = state.withLock { state in
            state.stopped = true
            return Array(state.open.values)
        }
        Glibc.shutdown(listener.raw, Int32(SHUT_RDWR))
        for connection in open { connection.shutdown() }
    }

    public var address: String { "127.0.0.1:\(port)" }
    public var requests: [Request] { state.withLock { $0.requests } }
    /// How many connections were accepted, and how many are open.
    public var accepted: Int { state.withLock { $0.accepted } }
    public var open: Int { state.withLock { $0.open.count } }

    /// One request with its body; nil at the connection's end.
    public func readRequest(_ connection: Client, _ number: Int) throws -> Request? {
        var request = Request()
        request.connection = number
        let line: String
        do {
            line = try connection.readLine()
        } catch ClientError.closed, ClientError.reset {
            return nil
        }
        let parts = line.split(separator: " ")
        guard parts.count == 3 else { throw ClientError.malformed(line) }
        (request.method, request.target, request.version) = (String(parts[0]), String(parts[1]), String(parts[2]))
        request.fields = try connection.readFields()
        if request["expect"]?.lowercased() == "100-continue" { try connection.send("HTTP/1.1 100 Continue\r\n\r\n") }
        if request["transfer-encoding"] != nil {
            (request.body, request.trailers) = try connection.readChunked()
        } else if let length = request["content-length"].flatMap({ Int($0) }) {
            request.body = try connection.read(length)
        }
        state.withLock { $0.requests.append(request) }
        return request
    }

    /// - Returns: whether the connection goes on.
    private func reply(_ reply: Reply, to request: Request, on connection: Client) throws -> Bool {
        switch reply {
        case .response(let status, let fields, let body):
            return try self.reply(
                .octets(status: status, fields: fields, body: Array(body.utf8)), to: request, on: connection)
        case .octets(let status, let fields, let body):
            var head = Self.head(status, fields)
            if status != 204, status != 304 { head += "Content-Length: \(body.count)\r\n" }
            try connection.send(Array((head + "\r\n").utf8) + (request.method == "HEAD" ? [] : body))
        case .chunked(let status, let fields, let chunks, let trailers):
            try connection.send(Self.head(status, fields) + "Transfer-Encoding: chunked\r\n\r\n")
            for chunk in chunks {
                try connection.send(String(chunk.utf8.count, radix: 16) + "\r\n" + chunk + "\r\n")
            }
            try connection.send("0\r\n" + trailers.map { "\($0): \($1)\r\n" }.joined() + "\r\n")
        case .raw(let text, let thenClose):
            try connection.send(text)
            return !thenClose
        case .close: return false
        case .reset:
            connection.resetOnClose()
            return false
        case .silence:
            _ = try connection.readToEnd()
            return false
        }
        return request["connection"]?.lowercased() != "close"
    }

    private static func head(_ status: Int, _ fields: [(String, String)]) -> String {
        "HTTP/1.1 \(status) Status\r\n" + fields.map { "\($0): \($1)\r\n" }.joined()
    }
}
