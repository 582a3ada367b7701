import Core
import HTTP

/// A request as a test writes it, and the head that a parser would have made of it.
struct TestRequest: CustomStringConvertible {
    var method = "GET"
    var host = "example.com"
    /// Path and query.
    var target = "/"
    var headers: [(name: String, value: String)] = []

    init(_ target: String, host: String = "example.com", method: String = "GET", headers: [(String, String)] = []) {
        self.method = method
        self.host = host
        self.target = target
        self.headers = headers.map { (name: $0.0, value: $0.1) }
    }

    var path: String { String(target.prefix { $0 != "?" }) }
    var query: String? { target.contains("?") ? String(target.drop { $0 != "?" }.dropFirst()) : nil }
    var description: String { "\(method) \(host)\(target) \(headers)" }

    /// Lends the head, its octets, the host and the path.
    func with<R>(_ body: (borrowing RequestHead, ByteView, ByteView, ByteView) -> R) -> R {
        var octets = ByteBuffer()
        var head = RequestHead()
        func put(_ text: String) -> OctetRange {
            let start = octets.end
            octets.append(string: text)
            return OctetRange(offset: start, length: octets.end - start)
        }
        head.methodRange = put(method)
        head.method = Method.allCases.first { $0 != .other && method.withView($0.text.equals) } ?? .other
        octets.append(byte: ASCII.space)
        head.path = put(path)
        if let query {
            octets.append(byte: ASCII.question)
            head.query = put(query)
            head.hasQuery = true
        }
        octets.append(byte: ASCII.space)
        head.host = put(host)
        for (name, value) in headers {
            let nameRange = put(name)
            octets.append(byte: ASCII.colon)
            let valueRange = put(value)
            head.fields.append(
                FieldLine(
                    nameOffset: nameRange.offset, nameLength: UInt16(nameRange.length), valueOffset: valueRange.offset,
                    valueLength: valueRange.length, name: name.withView { FieldName($0) }))
        }
        head.length = octets.end
        let view = octets.written
        return body(head, view, head.host.of(view), head.path.of(view))
    }
}

extension StaticString {
    func equals(_ view: ByteView) -> Bool { view.equals(self) }
}
