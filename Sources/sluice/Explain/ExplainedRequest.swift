import Core
import HTTP

/// What `explain` is asked about.
enum ExplainedSubject {
    case request(ExplainedRequest)
    case connection(ExplainedConnection)
}

/// The request that is asked about, as it would arrive.
struct ExplainedRequest {
    var method: String
    /// `https`: the URL's host is the server name of the handshake too.
    var isSecure: Bool
    /// As in the URL, brackets of an IPv6 literal included.
    var host: String
    /// Of the URL; nil: none was written.
    var port: UInt16?
    /// Path and query.
    var target: String
    var headers: [(name: String, value: String)]

    init(url: String, method: String, headers: [(name: String, value: String)]) throws(UsageError) {
        isSecure = url.lowercased().hasPrefix("https://")
        guard isSecure || url.lowercased().hasPrefix("http://") else {
            throw UsageError("--url '\(url)': write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")
        }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var target = String(rest.dropFirst(authority.count).prefix { $0 != "#" })
        if !target.hasPrefix("/") { target = "/" + target }
        var host = String(authority)
        port = nil
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            let text = String(host[host.index(after: colon)...])
            guard let number = UInt16(text), number > 0 else {
                throw UsageError("--url '\(url)': the port must be a number from 1 to 65535")
            }
            port = number
            host = String(host[..<colon])
        }
        guard !host.isEmpty else { throw UsageError("--url '\(url)': there is no host") }
        self.method = method
        self.host = host
        self.target = target
        self.headers = headers
    }

    var scheme: String { isSecure ? "https" : "http" }
    var url: String { scheme + "://" + host + (port.map { ":\($0)" } ?? "") + target }

    func has(_ name: String) -> Bool { headers.contains { $0.name.lowercased() == name } }

    /// The request's head as it would come over the wire.
    var wire: ByteBuffer {
        var buffer = ByteBuffer(capacity: 1024)
        buffer.append(string: "\(method) \(target) HTTP/1.1\r\n")
        if !has("host") { buffer.append(string: "Host: \(host)" + (port.map { ":\($0)" } ?? "") + "\r\n") }
        for (name, value) in headers { buffer.append(string: "\(name): \(value)\r\n") }
        buffer.append("\r\n")
        return buffer
    }
}

/// The head of that request as a worker would have read it. Its views live as long as it does.
final class ParsedRequest {
    private(set) var head = RequestHead()
    private let wire: ByteBuffer
    private var normalised = ByteBuffer()
    /// What the gateway answers to it before it is routed; nil: it is routed.
    private(set) var refusal: (status: UInt16, reason: String)?

    init(_ request: ExplainedRequest) {
        wire = request.wire
        var parser = RequestHeadParser()
        switch parser.parse(wire.view, into: &head, limits: .request) {
        case .complete: normalise()
        case .incomplete: refuse(400, "the request's head is not complete")
        case .refused(let refusal): refuse(refusal.status, "\(refusal.reason)")
        }
    }

    private func normalise() {
        if head.method == .connect { return refuse(501, "a CONNECT is asked about by --connect HOST:PORT") }
        guard head.targetForm != .asterisk else { return }
        switch PathNormalizer.normalise(path: head.path.of(bytes), into: &normalised) {
        case .unchanged, .rewritten: break
        case .redirect: refuse(307, "escaped slashes in the path: redirected to \(normalised.view.string)")
        case .refused(let refusal): refuse(refusal.status, "\(refusal.reason)")
        }
    }

    private func refuse(_ status: UInt16, _ reason: String) { refusal = (status, reason) }

    var bytes: ByteView { wire.view }
    var host: ByteView { head.host.of(bytes) }
    /// As it is matched.
    var path: ByteView { normalised.isEmpty ? head.path.of(bytes) : normalised.view }
}
