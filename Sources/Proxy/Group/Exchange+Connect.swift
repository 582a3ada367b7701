import Config
import Connection
import Core
import HTTP
import IO
import Telemetry

/// CONNECT on the listeners of a group (RFC 9110, section 9.3.6): where it leads, its answer, and what is inside of it,
/// which is served as a connection of its own.
extension Exchange {
    /// Answers a CONNECT of an explicit proxy's client: 200 and a tunnel, or why not.
    func connect(_ message: RequestMessage, _ bytes: ByteView, _ socket: UnsafePointer<SocketConfig>) {
        guard let downstream, let configuration,
            let listener = configuration.groupListener(of: downstream.origin, on: socket)
        else {
            return answer(501, .downstreamProtocolError, "CONNECT is not served")
        }
        // What is inside says where it goes itself; tunnels within tunnels would have no end.
        guard downstream.origin.destination == nil, let port = message.head.port else {
            return answer(501, .downstreamProtocolError, "CONNECT inside of a tunnel is not served")
        }
        let destination = Self.destination(host: message.head.host.of(bytes), port: port)
        let told = forwardedPeer(configuration.group(of: listener))
        switch configuration.lookUp(destination, for: downstream.origin, in: listener.pointee.group) {
        case .member:
            openTunnel(to: destination, by: listener) { if let told { $0.peer = told } }
        case .noPort:
            var isAddress = false
            if case .address = destination { isAddress = true }
            answerNoPort(ofAddress: isAddress)
        case .ambiguous:
            answer(404, .noRoute, "services of several namespaces have this name: call it name.namespace")
        case .outside: connectOutside(destination, listener, told, configuration)
        }
    }

    /// To a host that is no member. What comes inside says more of itself than its host, and is looked at again; what no
    /// route could lead to is refused before.
    /// - Parameter told: for whom the caller calls, where it may say so.
    private func connectOutside(
        _ destination: CallDestination, _ listener: UnsafePointer<ListenerConfig>, _ told: SocketAddress?,
        _ configuration: LiveConfiguration
    ) {
        let isWritten: Bool
        var isOfOthers = false
        switch destination {
        case .address(let address):
            if worker.isOwnListener(address) {
                return answer(403, .noRoute, "the destination is this gateway itself")
            }
            isOfOthers = configuration.routes.isMember(address.ip)
            // What comes inside may name a host that a route has.
            isWritten = !listener.pointee.streamHosts.isEmpty || !listener.pointee.hosts.isEmpty
        case .authority(let host, _):
            isWritten = host.withView {
                worker.relays.rule($0, in: listener.pointee.streamHosts, snapshot) != nil
                    || worker.relays.rule($0, in: listener.pointee.hosts, snapshot) != nil
            }
        }
        guard isWritten || configuration.group(of: listener).pointee.egress == .allow else {
            if let downstream { worker.egressDenials.note(destination, downstream.origin) }
            return answer(403, .unauthorized, "this gateway lets nobody call this host")
        }
        guard isWritten || !isOfOthers else {
            return answer(403, .unauthorized, "the destination is a service of another group")
        }
        openTunnel(to: destination, by: listener) { if let told { $0.peer = told } }
    }

    /// - Parameter host: without port, an IPv6 address in brackets.
    static func destination(host: ByteView, port: UInt16) -> CallDestination {
        let isBracketed = host.count > 2 && host[0] == UInt8(ascii: "[")
        let literal = isBracketed ? host[1..<(host.count - 1)] : host
        if let ip = IPAddress(literal) { return .address(SocketAddress(ip: ip, port: port)) }
        return .authority(host: host.array.map { ASCII.lower($0) }, port: port)
    }

    // MARK: the tunnel

    /// Answers 200, and serves what comes inside as a connection that goes to `destination`. The answer is 503 where there is
    /// no room for one more.
    ///
    /// In clear text over HTTP/1.1 the socket itself goes on as that connection. All others, streams of HTTP/2, what is inside
    /// of TLS and whatever more is told of, are relayed from and to one end of a pair (``TunnelStream``).
    /// - Parameters:
    ///   - listener: the group's that took the CONNECT, and takes what is inside.
    ///   - change: what else the connection inside is to know.
    func openTunnel(
        to destination: CallDestination, by listener: UnsafePointer<ListenerConfig>,
        change: (inout ConnectionOrigin) -> Void = { _ in }
    ) {
        guard let downstream else { preconditionFailure("a tunnel for nobody") }
        var origin = downstream.origin
        origin.destination = destination
        origin.listenerIdentity = 0
        origin.groupIdentity = listener.pointee.identity
        // The connection that carries it counts.
        origin.countedIn = 0
        origin.callerKey = 0
        origin.wasPermitted = false
        origin.acceptedAt = worker.loop.now
        change(&origin)
        let told = tunnelMetadata(listener)
        if let connection = downstream as? HTTP1ServerConnection, connection.tls == nil, told.isEmpty {
            return handOver(connection, origin)
        }
        guard worker.resources.tunnelsNow < worker.tunnelLimit, worker.overload.admits(), let pair = try? SocketPair()
        else {
            return answer(503, .overload, "there is no room for one more tunnel")
        }
        let ends = pair.release()
        let stream = TunnelStream(
            adopting: OwnedFD(adopting: ends.near), owner: self, resources: worker.resources)
        if !told.isEmpty { stream.told = told }
        origin.tunnel = stream
        writeConnected(to: downstream)
        upstream = stream
        phase = .tunnel
        // What is inside has deadlines of its own.
        streamIdle = .forever
        receivedDeadline = .distantFuture
        halfClosedDeadline = .distantFuture
        if downstream.majorVersion == 1 { downstream.incoming.begin(.untilClose) }
        worker.statistics.increment(.upgradesNow)
        worker.admit(inside: OwnedFD(adopting: ends.far), origin)
        if phase == .tunnel { relayTunnel() }
    }

    /// No Content-Length and no Transfer-Encoding: what follows is the tunnel's.
    private func writeConnected(to downstream: ServerStream) {
        worker.statistics.increment(.tunnels)
        status = 200
        headAt = worker.loop.now
        worker.resources.buffers.supply(&downstream.output)
        StatusLine.write(status: 200, to: &downstream.output)
        downstream.output.append("server: sluice\r\ndate: ")
        worker.date.write(unixSeconds: startedWall / 1_000_000_000, to: &downstream.output)
        downstream.output.append("\r\n\r\n")
        downstream.headWritten(framing: .untilClose)
    }

    /// The socket goes on as the connection inside; this exchange is over.
    private func handOver(_ connection: HTTP1ServerConnection, _ origin: ConnectionOrigin) {
        writeConnected(to: connection)
        // A socket that does not even take this has a client that does not read.
        guard connection.flush() else { return abandon(.downstreamTermination) }
        let counted = (connection.origin.countedIn, connection.origin.callerKey)
        recordTunnel(connection)
        var received = ByteBuffer()
        guard let fd = connection.takeTunnel(received: &received) else {
            preconditionFailure("a tunnel whose answer is sent cannot be taken")
        }
        var origin = origin
        (origin.countedIn, origin.callerKey) = counted
        worker.goOn(connection, fd, received: received, origin)
    }

    /// What a tunnel's end says of its far end: whole, although its client has not finished.
    var tunnelEndedInOrder: Bool {
        tunnelResponseEnded && (upstream as? TunnelStream)?.isOrderly == true && downstream?.isGone == false
    }
}

extension Worker {
    /// Begins to serve what is inside of a tunnel.
    func admit(inside fd: consuming OwnedFD, _ origin: ConnectionOrigin) {
        let arrival = Arrival(adopting: fd, origin: origin, worker: self)
        registry.adopt(arrival)
        arrival.begin()
    }

    /// A connection goes on as what is inside of its CONNECT.
    func goOn(
        _ connection: HTTP1ServerConnection, _ fd: CInt, received: consuming ByteBuffer, _ origin: ConnectionOrigin
    ) {
        let arrival = Arrival(taking: fd, received: received, origin: origin, worker: self)
        registry.replace(connection, with: arrival)
        arrival.begin()
    }
}
