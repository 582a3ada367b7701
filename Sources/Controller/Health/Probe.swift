import Config
import Connection
import Core
import HTTP
import IO
import Proxy
import Upstream

/// What is needed to probe one endpoint.
struct ProbeTarget {
    var plan: ActiveCheckPlan
    var transport: ProbeTransport
    /// The endpoint's, with the port that `overrides` names if it does.
    var address: SocketAddress
    /// Of a Unix socket; empty: the address counts.
    var unixPath = ""
    /// The endpoint's own name; empty: none.
    var hostname = ""

    /// As people are shown it.
    var name: String { unixPath.isEmpty ? address.description : "unix:\(unixPath)" }
    /// Which host a request names: the one that is written, else the endpoint's own, else the route's.
    var host: String {
        var names = [hostname]
        if case .http(let plan) = plan.probe { names = [plan.hostname, hostname, plan.routeHostname] }
        return names.first { !$0.isEmpty } ?? (unixPath.isEmpty ? address.description : "localhost")
    }
}

/// What came of a probe, and why, in a few words.
struct ProbeOutcome {
    var result: ProbeSeries.Result
    var reason: String
}

/// One probe: a connection of its own, a question, and the answer. Owned by its ``EndpointCheck``, which looks at
/// ``outcome`` when it is told that there is one.
///
///     connecting ─▶ asking ─▶ over;   over at any time: the deadline, a failure, an answer that is complete enough
final class Probe: RawConnectionOwner {
    let target: ProbeTarget
    let resources: ConnectionResources
    private let tunnels: TunnelPool
    private(set) var outcome: ProbeOutcome?
    /// Whom to wake. Its deadline is set, so that nothing is done in the middle of a connection's event.
    private unowned let check: Timed
    private var connector: Connector?
    private var http2: HTTP2ClientConnection?
    /// Over HTTP and gRPC.
    var stream: ClientStream?
    /// Over TCP.
    var connection: RawConnection?
    // How far the answer is.
    var status: UInt16 = 0
    /// The final response's head was read.
    var isHeadTaken = false
    /// `grpc-status`, where it was told.
    var grpcStatus: Int?
    /// Octets that came back, up to ``HealthCheckLimits/responseBody``.
    var received: [UInt8] = []
    /// Over TCP: octets that were not sent yet.
    var unsent = ByteBuffer()

    init(_ target: ProbeTarget, check: Timed, tunnels: TunnelPool, resources: ConnectionResources) {
        self.tunnels = tunnels
        self.target = target
        self.check = check
        self.resources = resources
        super.init()
    }

    func begin() {
        resources.loop.setDeadline(self, resources.loop.now + target.plan.timeout)
        do throws(Errno) {
            // Its own time is the deadline's: the connector's must not come first.
            connector = try target.transport.connect(
                to: target.address, unixPath: target.unixPath, timeout: target.plan.timeout + .seconds(1), owner: self,
                tunnels: tunnels, resources: resources)
        } catch {
            end(.failed, "no connection: \(error)")
        }
    }

    /// Nobody wants to know any more. Not to be called from within an event of the probe's connection.
    func abandon() {
        resources.loop.clearDeadline(self)
        connector?.cancel()
        connector = nil
        stream?.close()
        stream = nil
        connection?.close()
        connection = nil
        http2?.close()
        http2 = nil
    }

    /// Tells the outcome, once, and gives the connection up.
    func end(_ result: ProbeSeries.Result, _ reason: String) {
        guard outcome == nil else { return }
        outcome = ProbeOutcome(result: result, reason: reason)
        resources.loop.setDeadline(check, resources.loop.now)
    }

    override func deadlinePassed(now: Instant) { end(.failed, "timeout") }

    // MARK: the connection

    override func established(_ connector: Connector) {
        self.connector = nil
        guard outcome == nil else { return connector.cancel() }
        if let problem = target.transport.problem(with: connector) {
            connector.cancel()
            return end(.failed, problem)
        }
        if target.transport.isOfGateway { return beginGateway(connector) }
        switch target.plan.probe {
        case .tcp: beginTCP(connector)
        case .http: beginHTTP(on: client(connector, isHTTP2: target.transport.speaksHTTP2(on: connector)))
        case .grpc: beginGRPC(on: client(connector, isHTTP2: true))
        }
    }

    private func client(_ connector: Connector, isHTTP2: Bool) -> ClientStream {
        let stream: ClientStream
        if isHTTP2 {
            let made = HTTP2ClientConnection(
                connector, scheme: target.transport.isSecure ? .https : .http, pool: self, resources: resources)
            http2 = made
            stream = made.openStream(owner: self)
        } else {
            stream = HTTP1ClientConnection(connector, owner: self, pool: self, resources: resources)
        }
        self.stream = stream
        return stream
    }

    override func failed(_ connector: Connector, _ failure: ConnectFailure) {
        self.connector = nil
        switch failure {
        case .refused(let error): end(.failed, "no connection: \(error)")
        case .timedOut: end(.failed, "timeout")
        case .tls(let text): end(.failed, "TLS: \(text)")
        }
    }

    override func closed(_ connection: HTTP2ClientConnection) { http2 = nil }

    override func readable(_ connection: MessageStream) { advance() }
    override func writable(_ connection: MessageStream) { advance() }
    override func ready(_ connection: RawConnection) { advance() }

    private func advance() {
        guard outcome == nil else { return }
        if target.transport.isOfGateway { return advanceGateway() }
        switch target.plan.probe {
        case .tcp: advanceTCP()
        case .http, .grpc: advanceHTTP()
        }
    }
}
