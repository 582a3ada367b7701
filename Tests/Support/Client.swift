import Core
import Glibc
import IO

/// A response as it came over the wire.
public struct Response: Sendable {
    public var version = ""
    public var status = 0
    public var reason = ""
    public var fields: [(name: String, value: String)] = []
    public var body: [UInt8] = []
    public var trailers: [(name: String, value: String)] = []
    /// The 1xx responses before it.
    public var informational: [Int] = []

    public var text: String { String(decoding: body, as: UTF8.self) }
    /// The first field of this name, whatever its case.
    public subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }
    public func all(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }
}

/// What a peer did that is no HTTP/1.1 response.
public enum ClientError: Error, CustomStringConvertible {
    case closed(after: String)
    case reset
    case timedOut(after: String)
    case malformed(String)

    public var description: String {
        switch self {
        case .closed(let after): "the connection was closed after '\(after)'"
        case .reset: "the connection was reset"
        case .timedOut(let after): "nothing more came in time after '\(after)'"
        case .malformed(let what): "no HTTP/1.1 response: \(what)"
        }
    }
}

/// A raw HTTP/1.1 client on one connection: sends any octets, reads exact responses. Every wait is bounded.
public final class Client: @unchecked Sendable {
    private let fd: OwnedFD
    public var patience: TimeAmount
    private var buffer: [UInt8] = []
    private var at = 0
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

    deinit { scratch.deallocate() }

    /// Connects to 127.0.0.1.
    public convenience init(port: UInt16, patience: TimeAmount = .seconds(10)) throws {
        try self.init(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port), patience: patience)
    }

    public init(_ address: SocketAddress, patience: TimeAmount = .seconds(10)) throws {
        fd = try Socket.connect(address)
        self.patience = patience
        try wait(POLLOUT, "connecting")
        if let error = Socket.pendingError(fd.raw) { throw error }
    }

    /// Connects to 127.0.0.1 from 127.0.0.`host`.
    public init(port: UInt16, from host: UInt8, patience: TimeAmount = .seconds(10)) throws {
        fd = try Socket.connect(
            SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port), from: IPAddress(v4: 127, 0, 0, host))
        self.patience = patience
        try wait(POLLOUT, "connecting")
        if let error = Socket.pendingError(fd.raw) { throw error }
    }

    /// Connects to a socket at a path.
    public init(path: String, patience: TimeAmount = .seconds(10)) throws {
        fd = try Socket.connect(path: path)
        self.patience = patience
    }

    /// The server's side of a connection, for backends.
    public init(adopting fd: consuming OwnedFD, patience: TimeAmount) {
        self.fd = fd
        self.patience = patience
    }

    /// Ends both directions; whoever waits on the connection is woken.
    public func shutdown() { Glibc.shutdown(fd.raw, Int32(SHUT_RDWR)) }

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    public func send(_ octets: [UInt8]) throws {
        var rest = octets[...]
        while !rest.isEmpty {
            let outcome = rest.withUnsafeBufferPointer {
                SystemCalls.send(fd.raw, ByteView($0.baseAddress, count: $0.count))
            }
            switch outcome {
            case .octets(let count): rest = rest.dropFirst(count)
            case .wouldBlock: try wait(POLLOUT, "sending")
            case .endOfFile: throw ClientError.closed(after: "sending")
            case .failed(let error):
                if [ECONNRESET, EPIPE].contains(error.code) { throw ClientError.reset }
                throw error
            }
        }
    }

    /// As many octets as the peer takes without waiting.
    public func sendWhatFits(_ octets: [UInt8]) -> Int {
        if case .octets(let count) = octets.withView({ SystemCalls.send(fd.raw, $0) }) { return count }
        return 0
    }

    public func finishSending() { Socket.shutdownWrite(fd.raw) }

    /// Closing will reset the connection.
    public func resetOnClose() { Socket.resetOnClose(fd.raw) }

    /// Sends a request and reads its response.
    public func request(
        _ method: String = "GET", _ target: String = "/", host: String = "example.com",
        fields: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> Response {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n"
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try send(Array((head + "\r\n").utf8) + (body ?? []))
        return try readResponse(to: method)
    }

    /// Reads one response, 1xx before it included.
    /// - Parameter method: of the request; a response to HEAD has no body.
    public func readResponse(to method: String = "GET") throws -> Response {
        var informational: [Int] = []
        while true {
            var response = try readHead()
            if (100..<200).contains(response.status), response.status != 101 {
                informational.append(response.status)
                continue
            }
            response.informational = informational
            if method != "HEAD", ![101, 204, 304].contains(response.status) { try readBody(&response) }
            return response
        }
    }

    /// Status line and fields only.
    public func readHead() throws -> Response {
        var response = Response()
        let line = try readLine()
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw ClientError.malformed(line)
        }
        response.version = String(parts[0])
        response.status = status
        response.reason = parts.count > 2 ? String(parts[2]) : ""
        response.fields = try readFields()
        return response
    }

    /// Fields up to the empty line.
    public func readFields() throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while true {
            let line = try readLine()
            if line.isEmpty { return fields }
            guard let colon = line.firstIndex(of: ":") else { throw ClientError.malformed(line) }
            let value = line[line.index(after: colon)...]
            let trimmed = value.drop { $0 == " " || $0 == "\t" }
            fields.append((String(line[..<colon]), String(trimmed)))
        }
    }

    private func readBody(_ response: inout Response) throws {
        if let coding = response["transfer-encoding"], coding.lowercased().hasSuffix("chunked") {
            (response.body, response.trailers) = try readChunked()
        } else if let length = response["content-length"] {
            guard let count = Int(length) else { throw ClientError.malformed("Content-Length \(length)") }
            response.body = try read(count)
        } else {
            response.body = try readToEnd()
        }
    }

    /// A chunked body and its trailers.
    public func readChunked() throws -> (body: [UInt8], trailers: [(name: String, value: String)]) {
        var body: [UInt8] = []
        while true {
            let line = try readLine()
            guard let size = Int(line.prefix { $0 != ";" && $0 != " " }, radix: 16) else {
                throw ClientError.malformed(line)
            }
            if size == 0 { return (body, try readFields()) }
            body += try read(size)
            guard try readLine().isEmpty else { throw ClientError.malformed("no line end after a chunk") }
        }
    }

    /// One line without its CRLF.
    public func readLine() throws -> String {
        var scanned = at
        while true {
            if let lf = buffer[scanned...].firstIndex(of: 10) {
                var end = lf
                if end > at, buffer[end - 1] == 13 { end -= 1 }
                let line = String(decoding: buffer[at..<end], as: UTF8.self)
                at = lf + 1
                return line
            }
            scanned = buffer.count
            try fill()
        }
    }

    public func read(_ count: Int) throws -> [UInt8] {
        while buffer.count - at < count { try fill() }
        defer {
            at += count
            if at == buffer.count {
                buffer.removeAll(keepingCapacity: true)
                at = 0
            }
        }
        return Array(buffer[at..<(at + count)])
    }

    /// Everything until the peer closes.
    public func readToEnd() throws -> [UInt8] {
        do {
            while true { try fill() }
        } catch ClientError.closed {
            defer { at = buffer.count }
            return Array(buffer[at...])
        }
    }

    /// Waits for the peer's end of the connection.
    /// - Returns: false when something else came first, or nothing in time.
    public func isClosedByPeer(within limit: TimeAmount? = nil) -> Bool {
        guard at == buffer.count else { return false }
        do {
            try fill(limit)
            return false
        } catch ClientError.closed, ClientError.reset {
            return true
        } catch {
            return false
        }
    }

    /// Whether nothing at all has come, now.
    public var isQuiet: Bool {
        guard at == buffer.count else { return false }
        var question = pollfd(fd: fd.raw, events: Int16(POLLIN), revents: 0)
        return poll(&question, 1, 0) == 0
    }

    private var tail: String { String(decoding: buffer[at...].suffix(200), as: UTF8.self) }

    private func fill(_ limit: TimeAmount? = nil) throws {
        while true {
            try wait(POLLIN, tail, limit)
            let count = recv(fd.raw, scratch.baseAddress, scratch.count, 0)
            let code = errno
            if count > 0 { buffer.append(contentsOf: scratch[..<count]) }
            if count > 0 { return }
            if count == 0 { throw ClientError.closed(after: tail) }
            if code == EINTR || code == EAGAIN { continue }
            throw code == ECONNRESET ? ClientError.reset : Errno(code)
        }
    }

    private func wait(_ events: CInt, _ what: String, _ limit: TimeAmount? = nil) throws {
        let end = SystemCalls.monotonicNow() + (limit ?? patience)
        while true {
            let left = (end - SystemCalls.monotonicNow()).milliseconds
            guard left > 0 else { throw ClientError.timedOut(after: what) }
            var question = pollfd(fd: fd.raw, events: Int16(events), revents: 0)
            if poll(&question, 1, Int32(clamping: left)) > 0 { return }
        }
    }
}
