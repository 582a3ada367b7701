import Config
import Core
import HTTP

/// CORS (HTTPCORSFilter): answers preflights, and marks the responses of actual requests.
///
/// The gateway then speaks for the backend: what the backend says about CORS itself is dropped (``owns(_:)``), because two
/// Access-Control-Allow-Origin lines are refused by browsers. An origin that is not allowed gets none of the fields, and it
/// is the browser that refuses.
public struct CORSFilter {
    /// The answer to a preflight has no body.
    public static let preflightStatus: UInt16 = 204

    private let config: UnsafePointer<CORSConfig>
    private let snapshot: Snapshot

    /// Nil when the rule has no such filter.
    public init?(_ filters: FilterConfig, in snapshot: Snapshot) {
        guard !filters.cors.isEmpty else { return nil }
        config = snapshot[filters.cors, 0]
        self.snapshot = snapshot
    }

    /// Whether this is a CORS-preflight request (Fetch, section 3.2.2): OPTIONS with Origin and
    /// Access-Control-Request-Method. Any other OPTIONS goes to the backend.
    public static func isPreflight(_ head: borrowing RequestHead) -> Bool {
        head.method == .options && head.fields.first(.origin) != nil
            && head.fields.first(.accessControlRequestMethod) != nil
    }

    /// Whether a field of the backend's response is dropped because this filter says it.
    public static func owns(_ name: ByteView) -> Bool {
        let prefix = ByteView("access-control-")
        guard name.count > prefix.count, name.upTo(prefix.count).equalsIgnoringCase(prefix) else { return false }
        let rest = name.from(prefix.count)
        return rest.equalsIgnoringCase("allow-origin") || rest.equalsIgnoringCase("allow-credentials")
            || rest.equalsIgnoringCase("expose-headers") || rest.equalsIgnoringCase("allow-methods")
            || rest.equalsIgnoringCase("allow-headers") || rest.equalsIgnoringCase("max-age")
    }

    /// Appends the field lines of the answer to a preflight, each with its CRLF.
    public func writePreflight(_ head: borrowing RequestHead, _ bytes: ByteView, to buffer: inout ByteBuffer) {
        guard writeOrigin(head, bytes, to: &buffer) else { return }
        writeRequested(
            "access-control-allow-methods: ", config.pointee.allowMethods,
            head.fields.first(.accessControlRequestMethod)?.value(in: bytes), to: &buffer)
        writeRequested(
            "access-control-allow-headers: ", config.pointee.allowHeaders,
            head.fields.first(.accessControlRequestHeaders)?.value(in: bytes), to: &buffer)
        writeExposed(to: &buffer)
        buffer.append("access-control-max-age: ")
        buffer.append(decimal: UInt64(config.pointee.maxAge))
        buffer.append("\r\n")
    }

    /// Appends the field lines for the response of an actual request, each with its CRLF; to a request without Origin only
    /// what caches must know.
    public func writeActual(_ head: borrowing RequestHead, _ bytes: ByteView, to buffer: inout ByteBuffer) {
        if writeOrigin(head, bytes, to: &buffer) { writeExposed(to: &buffer) }
    }

    /// - Returns: whether the request's origin is allowed.
    private func writeOrigin(
        _ head: borrowing RequestHead, _ bytes: ByteView, to buffer: inout ByteBuffer
    ) -> Bool {
        let isWildcard = containsStar(config.pointee.allowOrigins)
        // The answer is the same for every origin only where it is the wildcard itself.
        let answersStar = isWildcard && !config.pointee.allowCredentials
        if !answersStar { buffer.append("vary: Origin\r\n") }
        guard let origin = head.fields.first(.origin)?.value(in: bytes), !origin.isEmpty, isWildcard || allows(origin)
        else { return false }
        buffer.append("access-control-allow-origin: ")
        if answersStar { buffer.append("*") } else { buffer.append(origin) }
        buffer.append("\r\n")
        if config.pointee.allowCredentials { buffer.append("access-control-allow-credentials: true\r\n") }
        return true
    }

    private func allows(_ origin: ByteView) -> Bool {
        let origins = config.pointee.allowOrigins
        for i in 0..<Int(origins.count) where CORSOrigin.allows(snapshot.text(snapshot[origins, i].pointee), origin) {
            return true
        }
        return false
    }

    /// The configured list; where it is the wildcard and credentials are allowed, what the request asked for, and nothing
    /// when it asked for nothing.
    private func writeRequested(
        _ name: StaticString, _ list: Table<TextRef>, _ requested: ByteView?, to buffer: inout ByteBuffer
    ) {
        guard !list.isEmpty else { return }
        if containsStar(list), config.pointee.allowCredentials {
            guard let requested, !requested.isEmpty else { return }
            buffer.append(name)
            buffer.append(requested)
            buffer.append("\r\n")
        } else {
            write(name, list, to: &buffer)
        }
    }

    /// With credentials a `*` would mean a field of that name (Fetch, section 3.2.5), so it is left out.
    private func writeExposed(to buffer: inout ByteBuffer) {
        write("access-control-expose-headers: ", config.pointee.exposeHeaders, to: &buffer)
    }

    private func write(_ name: StaticString, _ list: Table<TextRef>, to buffer: inout ByteBuffer) {
        var written = 0
        for i in 0..<Int(list.count) {
            let text = snapshot.text(snapshot[list, i].pointee)
            if config.pointee.allowCredentials, text.equals("*") { continue }
            if written == 0 { buffer.append(name) } else { buffer.append(", ") }
            buffer.append(text)
            written += 1
        }
        if written > 0 { buffer.append("\r\n") }
    }

    private func containsStar(_ list: Table<TextRef>) -> Bool {
        for i in 0..<Int(list.count) where snapshot.text(snapshot[list, i].pointee).equals("*") { return true }
        return false
    }
}
