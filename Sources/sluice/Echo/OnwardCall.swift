import Connection
import Core
import Glibc
import HTTP
import IO

/// Whom an echo calls before it answers: `--call URL`, through `--via ADDR`.
struct OnwardTarget {
    let url: String
    /// As the URL names it, with its port if any.
    let host: String
    let path: String
    /// Where the connection goes.
    let address: SocketAddress

    /// Nil: not `http://HOST[:PORT][/PATH]`, or nobody says at which address the host is.
    init?(_ url: String, via: SocketAddress?) {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let host = String(rest[..<slash])
        guard host.withView({ Authority($0) }) != nil,
            let address = via ?? SocketAddress(host) ?? SocketAddress("\(host):80")
        else { return nil }
        self.url = url
        self.host = host
        path = slash == rest.endIndex ? "/" : String(rest[slash...])
        self.address = address
    }
}

/// One call of an echo to another service, on a connection of its own, as an application makes it that hands on what
/// belongs to the trace: `traceparent`, `baggage` and `x-request-id`. Owned by who waits for ``outcome``.
final class OnwardCall: ConnectionOwner {
    /// How long a call may take.
    static let patience = TimeAmount.seconds(10)
    /// Octets of a chain that are told.
    private static let longestChain = 4096

    enum Outcome {
        /// The chain is what the called service says of itself and of those that it called; empty: nothing.
        case answered(status: UInt16, chain: String)
        case failed(String)
    }

    let target: OnwardTarget
    private(set) var outcome: Outcome?
    /// There is an outcome, and nothing of the call is left.
    private(set) var isOver = false
    private let handedOn: String
    private let resources: ConnectionResources
    private let done: () -> Void
    private var connector: Connector?
    private var stream: HTTP1ClientConnection?

    /// - Parameters:
    ///   - handedOn: field lines of the trace, each with its CRLF.
    ///   - done: called once, when there is an ``outcome``; never within ``begin()``.
    init(_ target: OnwardTarget, handedOn: String, resources: ConnectionResources, done: @escaping () -> Void) {
        self.target = target
        self.handedOn = handedOn
        self.resources = resources
        self.done = done
        super.init()
    }

    func begin() {
        resources.loop.setDeadline(self, resources.loop.now + Self.patience)
        do throws(Errno) {
            connector = try Connector(
                to: target.address, timeout: Self.patience + .seconds(1), security: nil, owner: self,
                resources: resources)
        } catch {
            outcome = .failed("no connection to \(target.address): \(error)")
            resources.loop.setDeadline(self, resources.loop.now)
        }
    }

    override func deadlinePassed(now: Instant) {
        if outcome == nil { outcome = .failed("no answer within \(Self.patience.milliseconds / 1000) s") }
        connector?.cancel()
        connector = nil
        stream?.close()
        stream = nil
        isOver = true
        done()
    }

    /// Told in a turn of its own: not in the middle of the connection's event.
    private func end(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        resources.loop.setDeadline(self, resources.loop.now)
    }

    override func established(_ connector: Connector) {
        self.connector = nil
        guard outcome == nil else { return connector.cancel() }
        let stream = HTTP1ClientConnection(connector, owner: self, pool: self, resources: resources)
        self.stream = stream
        resources.buffers.supply(&stream.output)
        stream.output.append(
            string: "GET \(target.path) HTTP/1.1\r\nHost: \(target.host)\r\nUser-Agent: sluice-echo\r\n\(handedOn)"
                + "Connection: close\r\n\r\n")
        stream.headWritten(framing: OutgoingFraming.none)
        advance()
    }

    override func failed(_ connector: Connector, _ failure: ConnectFailure) {
        self.connector = nil
        switch failure {
        case .refused(let error): end(.failed("no connection to \(target.address): \(error)"))
        case .timedOut, .tls: end(.failed("no connection to \(target.address) in time"))
        }
    }

    /// As the caller's own chain shows it.
    var chain: String {
        guard case .answered(let status, let chain) = outcome else { return "!\(target.host)" }
        return status == 200 && !chain.isEmpty ? chain : "\(target.host)=\(status)"
    }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("url", target.url)
        switch outcome {
        case .answered(let status, let chain):
            json.field("status", Int(status))
            json.field("chain", chain)
        case .failed(let why): json.field("error", why)
        case nil: preconditionFailure("a call is told before its end")
        }
        json.endObject()
    }

    override func readable(_ stream: MessageStream) { advance() }
    override func writable(_ stream: MessageStream) { advance() }

    private func advance() {
        guard let stream, outcome == nil else { return }
        _ = stream.flush()
        while true {
            switch stream.readHead(for: .get) {
            case .waiting: return
            case .endOfFile, .failed: return end(.failed("closed before an answer"))
            case .refused(let refusal): return end(.failed("no HTTP: \(refusal.reason)"))
            case .complete: break
            }
            guard let message = stream.response else { preconditionFailure("a complete head is not there") }
            let status = message.head.status
            var chain = ""
            for index in 0..<message.head.fields.count {
                let line = message.head.fields[index]
                guard line.name(in: stream.headBytes).equalsIgnoringCase(EchoServer.chainField) else { continue }
                let value = line.value(in: stream.headBytes)
                chain = value.upTo(min(value.count, Self.longestChain)).string
            }
            stream.dropHead()
            // The body tells nothing more; the connection ends with the call.
            if status >= 200 { return end(.answered(status: status, chain: chain)) }
        }
    }
}
