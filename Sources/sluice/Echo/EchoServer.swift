import Connection
import Core
import Glibc
import HTTP
import IO
import TLS

/// What an echo says of itself.
struct EchoIdentity {
    var namespace = EchoIdentity.variable("NAMESPACE")
    var ingress = EchoIdentity.variable("INGRESS_NAME")
    var service = EchoIdentity.variable("SERVICE_NAME")
    var pod = EchoIdentity.variable("POD_NAME", default: "echo")

    private static func variable(_ name: String, default fallback: String = "") -> String {
        getenv(name).map { String(cString: $0) } ?? fallback
    }
}

/// A backend that answers with what it received, in the shape of the echo server of Gateway API's conformance suite: over
/// HTTP/1.1 and HTTP/2, in clear text or, with a front, over TLS.
final class EchoServer: LocalServer {
    /// What an echo that calls others says of itself and of them: `pod(called,called)`.
    static let chainField: StaticString = "x-echo-chain"

    private let identity: EchoIdentity
    private let port: UInt16
    private let targets: [OnwardTarget]
    /// Calls under way, by the exchange that waits for them.
    private var calls: [ObjectIdentifier: [OnwardCall]] = [:]

    init(
        listener: CInt, port: UInt16, front: TLSFront?, identity: EchoIdentity, targets: [OnwardTarget] = [],
        resources: ConnectionResources
    ) {
        self.targets = targets
        self.port = port
        self.identity = identity
        super.init(listener: listener, front: front, resources: resources, bodies: .discarded)
        takesHTTP2 = true
    }

    /// A gateway before it may have one for each request under way.
    override var connectionLimit: Int { 16_384 }

    override func bodies(of exchange: LocalExchange) -> Bodies {
        exchange.isGRPC ? .collected(limit: GRPCEcho.messageLimit) : .discarded
    }

    override func respond(to exchange: LocalExchange) {
        if exchange.isGRPC { return GRPCEcho.answer(exchange) }
        if exchange.upgradesToWebSocket, let opening = Self.opening(exchange) {
            var frames = WebSocketEcho()
            return exchange.upgrade(fields: opening) { input, output in frames.pass(&input, to: &output) }
        }
        guard let delay = Self.delay(exchange.query) else {
            return exchange.respond(status: 400, text: "delay must be a duration such as 1s or 250ms\n")
        }
        if delay > .zero {
            exchange.after(delay) { [unowned self, unowned exchange] in answer(exchange) }
        } else {
            answer(exchange)
        }
    }

    /// What agrees to a WebSocket; nil: it is not asked for in the right words.
    private static func opening(_ exchange: LocalExchange) -> String? {
        // The key and its answer are HTTP/1.1's (RFC 8441, section 5).
        if exchange.majorVersion == 2 { return "" }
        guard let key = exchange.field(.secWebSocketKey) else { return nil }
        let accept = WebSocketHandshake.accept(key: key)
        return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n"
    }

    /// Nil: there is one, and it is no duration.
    private static func delay(_ query: ByteView) -> TimeAmount? {
        guard let text = QueryView.firstValue(of: ByteView("delay"), in: query) else { return .zero }
        return TimeAmount(duration: text.string)
    }

    private func answer(_ exchange: LocalExchange) {
        let path = exchange.path
        if path.equals("/health") { return exchange.respond(status: 200, text: "OK") }
        let prefix = ByteView("/status/")
        if path.hasPrefix(prefix) {
            // 1xx would not be an end, and a 204 or 304 has no body: both are left to the head.
            guard path.count == prefix.count + 3, let status = path.from(prefix.count).decimal, 200...599 ~= status
            else {
                return exchange.respond(status: 400, text: "write /status/ and a number from 200 to 599\n")
            }
            return exchange.respond(
                status: UInt16(status), contentType: "text/plain; charset=utf-8", fields: "", body: ByteBuffer())
        }
        if targets.isEmpty { return respond(to: exchange, calls: []) }
        let handedOn = Self.handedOn(exchange)
        let id = ObjectIdentifier(exchange)
        calls[id] = targets.map { target in
            OnwardCall(target, handedOn: handedOn, resources: resources) { [unowned self] in callEnded(exchange) }
        }
        for call in calls[id] ?? [] { call.begin() }
    }

    /// All of an exchange's calls are awaited, whatever becomes of each.
    private func callEnded(_ exchange: LocalExchange) {
        let id = ObjectIdentifier(exchange)
        guard let made = calls[id], made.allSatisfy(\.isOver) else { return }
        calls[id] = nil
        respond(to: exchange, calls: made)
    }

    private func respond(to exchange: LocalExchange, calls: [OnwardCall]) {
        guard exchange.isOpen else { return }
        var fields = "x-content-type-options: nosniff\r\n" + Self.wanted("x-echo-set-header", exchange)
        fields += "\(Self.chainField): \(identity.pod)"
        if !calls.isEmpty { fields += "(\(calls.map(\.chain).joined(separator: ",")))" }
        fields += "\r\n"
        exchange.respond(
            status: 200, contentType: "application/json", fields: fields, body: body(exchange, calls),
            trailers: Self.wanted("x-echo-set-trailer", exchange))
    }

    /// What belongs to the trace, as an application hands it on.
    private static func handedOn(_ exchange: LocalExchange) -> String {
        var lines = ""
        for index in 0..<exchange.fieldCount {
            let (name, value) = exchange.field(at: index)
            for known: StaticString in ["traceparent", "tracestate", "baggage", "x-request-id"]
            where name.equalsIgnoringCase(known) {
                lines += "\(known): \(value.string)\r\n"
            }
        }
        return lines
    }

    /// `X-Echo-Set-Header: name: value, other: value` asks for fields of the answer, `X-Echo-Set-Trailer` for fields behind it.
    private static func wanted(_ word: StaticString, _ exchange: LocalExchange) -> String {
        var lines = ""
        for index in 0..<exchange.fieldCount {
            let (name, value) = exchange.field(at: index)
            guard name.equalsIgnoringCase(ByteView(word)) else { continue }
            for part in value.string.split(separator: ",") {
                guard let colon = part.firstIndex(of: ":") else { continue }
                let name = String(part[..<colon]).withView { $0.trimmed.string }
                let text = String(part[part.index(after: colon)...]).withView { $0.trimmed.string }
                if !name.isEmpty { lines += "\(name): \(text)\r\n" }
            }
        }
        return lines
    }

    private func body(_ exchange: LocalExchange, _ calls: [OnwardCall]) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.field("path", exchange.target)
        json.field("host", exchange.field(.host) ?? .empty)
        json.field("method", exchange.method)
        json.field("proto", Self.version(of: exchange))
        json.key("headers")
        write(fieldsOf: exchange, to: &json)
        json.field("httpPort", "\(port)")
        json.field("namespace", identity.namespace)
        json.field("ingress", identity.ingress)
        json.field("service", identity.service)
        json.field("pod", identity.pod)
        if let tls = exchange.connection.tls {
            json.key("tls")
            write(tls, to: &json)
        }
        if !calls.isEmpty {
            json.key("calls")
            json.beginArray()
            for call in calls { call.write(to: &json) }
            json.endArray()
        }
        if !exchange.trailers.isEmpty { json.field("trailers", exchange.trailers.view) }
        json.endObject()
        var buffer = json.finish()
        buffer.append(byte: ASCII.lf)
        return buffer
    }

    private static func version(of exchange: LocalExchange) -> StaticString {
        if exchange.majorVersion == 2 { return "HTTP/2.0" }
        return exchange.minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1"
    }

    private func write(_ tls: TLSChannel, to json: inout JSONWriter) {
        let session = tls.session
        json.beginObject()
        json.field("version", session.protocolVersion?.text ?? "")
        json.field("cipherSuite", session.cipherName)
        json.field("serverName", String(decoding: session.serverName, as: UTF8.self))
        json.field("negotiatedProtocol", session.applicationProtocol)
        json.field("resumed", session.isResumed)
        // Asked for and taken as it is: whether it is to be believed is told beside it.
        if let peer = tls.peerCertificate {
            json.field("peerSubject", peer.subject)
            json.field("peerHash", peer.hash)
            json.key("peerNames")
            json.beginArray()
            for name in peer.dnsNames + peer.uris { json.value(name) }
            json.endArray()
        }
        json.endObject()
    }

    /// Names as Go's `net/http` has them, each with the list of its values; Host stands apart.
    private func write(fieldsOf exchange: LocalExchange, to json: inout JSONWriter) {
        var names: [String] = []
        var values: [String: [String]] = [:]
        for index in 0..<exchange.fieldCount {
            let (name, value) = exchange.field(at: index)
            if name.equalsIgnoringCase("host") { continue }
            let canonical = Self.canonical(name)
            if values[canonical] == nil { names.append(canonical) }
            values[canonical, default: []].append(value.string)
        }
        json.beginObject()
        for name in names {
            json.key(name)
            json.beginArray()
            for value in values[name] ?? [] { json.value(value) }
            json.endArray()
        }
        json.endObject()
    }

    /// `x-request-id` → `X-Request-Id`.
    static func canonical(_ name: ByteView) -> String {
        var octets: [UInt8] = []
        var isFirst = true
        for i in name.indices {
            octets.append(isFirst ? ASCII.upper(name[i]) : ASCII.lower(name[i]))
            isFirst = name[i] == 0x2D
        }
        return String(decoding: octets, as: UTF8.self)
    }
}
