import Connection
import Core
import Glibc
import HTTP
import IO

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

/// A backend that answers with what it received, in the shape of the echo server of Gateway API's conformance suite.
final class EchoServer: LocalServer {
    private let identity: EchoIdentity
    private let port: UInt16

    init(listener: CInt, port: UInt16, identity: EchoIdentity, resources: ConnectionResources) {
        self.port = port
        self.identity = identity
        super.init(listener: listener, resources: resources, bodies: .discarded)
    }

    override func respond(to exchange: LocalExchange) {
        if exchange.upgradesToWebSocket, let key = exchange.field(.secWebSocketKey) {
            var frames = WebSocketEcho()
            let accept = WebSocketHandshake.accept(key: key)
            return exchange.upgrade(
                fields: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n"
            ) { input, output in frames.pass(&input, to: &output) }
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
        exchange.respond(
            status: 200, contentType: "application/json", fields: Self.wantedFields(exchange), body: body(exchange))
    }

    /// `X-Echo-Set-Header: name: value, other: value` asks for fields of the answer.
    private static func wantedFields(_ exchange: LocalExchange) -> String {
        var lines = "x-content-type-options: nosniff\r\n"
        for index in 0..<exchange.fieldCount {
            let (name, value) = exchange.field(at: index)
            guard name.equalsIgnoringCase("x-echo-set-header") else { continue }
            for part in value.string.split(separator: ",") {
                guard let colon = part.firstIndex(of: ":") else { continue }
                let name = String(part[..<colon]).withView { $0.trimmed.string }
                let text = String(part[part.index(after: colon)...]).withView { $0.trimmed.string }
                if !name.isEmpty { lines += "\(name): \(text)\r\n" }
            }
        }
        return lines
    }

    private func body(_ exchange: LocalExchange) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.field("path", exchange.target)
        json.field("host", exchange.field(.host) ?? .empty)
        json.field("method", exchange.method)
        json.field("proto", exchange.minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1")
        json.key("headers")
        write(fieldsOf: exchange, to: &json)
        json.field("httpPort", "\(port)")
        json.field("namespace", identity.namespace)
        json.field("ingress", identity.ingress)
        json.field("service", identity.service)
        json.field("pod", identity.pod)
        json.endObject()
        var buffer = json.finish()
        buffer.append(byte: ASCII.lf)
        return buffer
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
