import Connection
import Core
import Glibc
import HTTP
import IO

/// One connection to an endpoint through HBONE: a CONNECT stream on one side, one end of a pair on the other, and octets
/// between the two. The pair's other end is its ``Connector``'s, and then the connection's.
///
///     waiting ─ a stream ─▶ asked ─ 2xx ─▶ relaying ─ both directions ended ─▶ over;   refused, broken, given up ─▶ over
///
/// Owned by the ``TunnelPool``.
final class OutboundTunnel: ConnectionOwner {
    private enum Phase { case waiting, asked, relaying, over }

    private var phase = Phase.waiting
    private var connector: Connector?
    /// The pair's near end; made when this object is there to own it.
    private var inner: TunnelStream?
    private var stream: ClientStream?
    private var head: ByteBuffer
    private var moved: UInt64 = 0
    private var upHasEnded = false
    private var downHasEnded = false
    private unowned(unsafe) let pool: TunnelPool
    private unowned(unsafe) let resources: ConnectionResources
    /// Whose connection carries it.
    private weak var peer: TunnelPeer?

    init(
        _ connector: Connector, near: consuming OwnedFD, head: consuming ByteBuffer, peer: TunnelPeer, pool: TunnelPool
    ) {
        self.connector = connector
        self.head = head
        self.peer = peer
        self.pool = pool
        resources = pool.resources
        super.init()
        inner = TunnelStream(adopting: near, owner: self, resources: resources)
    }

    var isOver: Bool { phase == .over || connector.map { $0.isOver } ?? false }

    // MARK: opening

    /// Asks for the tunnel on a stream of its own.
    func begin(on stream: ClientStream) {
        precondition(phase == .waiting, "a tunnel is opened once")
        self.stream = stream
        phase = .asked
        resources.buffers.supply(&stream.output)
        stream.output.append(head.view)
        head.release()
        stream.headWritten(framing: .untilClose)
    }

    /// There is no stream for it.
    func fail(_ failure: ConnectFailure) {
        guard phase != .over else { return }
        let connector = self.connector
        end(orderly: false)
        connector?.tunnelFailed(failure)
    }

    private func readHead() {
        guard let stream else { return }
        while phase == .asked {
            switch stream.readHead(for: .connect) {
            case .waiting: return
            case .complete:
                let status = stream.response?.head.status ?? 0
                stream.dropHead()
                if status < 200 { continue }
                guard 200..<300 ~= status else { return fail(.refused(Self.meaning(of: status))) }
                phase = .relaying
                stream.incoming.begin(.untilClose)
                resources.loop.setDeadline(self, resources.loop.now + TunnelLimits.idle)
                let connector = self.connector
                self.connector = nil
                connector?.tunnelOpened()
                return relay()
            case .endOfFile, .failed, .refused: return fail(.refused(Errno(ECONNRESET)))
            }
        }
    }

    /// What a peer's answer says of the endpoint behind it.
    private static func meaning(of status: UInt16) -> Errno {
        switch status {
        case 401, 403: Errno(EACCES)
        case 404: Errno(EHOSTUNREACH)
        case 504: Errno(ETIMEDOUT)
        default: Errno(ECONNREFUSED)
        }
    }

    // MARK: octets

    override func readable(_ stream: MessageStream) { advance() }
    override func writable(_ stream: MessageStream) { advance() }

    private func advance() {
        switch phase {
        case .over: break
        case .waiting, .asked:
            // Whoever waited has closed the pair's other end.
            if connector?.isOver ?? true {
                let isUnanswered = phase == .asked
                end(orderly: false)
                if isUnanswered { peer?.leftUnanswered() }
                return
            }
            if phase == .asked { readHead() }
        case .relaying: relay()
        }
    }

    private func relay() {
        guard phase == .relaying, let stream, let inner else { return }
        let before = moved
        if !upHasEnded {
            let progress = Relay.run(from: inner, to: stream, moved: &moved)
            guard Relay.goesOn(progress, from: inner, to: stream) else { return end(orderly: false) }
            if case .complete = progress { upHasEnded = true }
        }
        guard phase == .relaying else { return }
        if !downHasEnded {
            let progress = Relay.run(from: stream, to: inner, moved: &moved)
            guard Relay.goesOn(progress, from: stream, to: inner) else { return end(orderly: false) }
            if case .complete = progress { downHasEnded = true }
        }
        guard phase == .relaying else { return }
        if upHasEnded, downHasEnded { return end(orderly: true) }
        // The connection inside is gone whole, and what was asked for is wanted by nobody any more.
        if inner.isGone, upHasEnded { return end(orderly: false) }
        if moved != before { resources.loop.setDeadline(self, resources.loop.now + TunnelLimits.idle) }
        stream.reclaimWhileQuiet()
        inner.reclaimWhileQuiet()
    }

    override func deadlinePassed(now: Instant) { end(orderly: false) }

    // MARK: the end

    private func end(orderly: Bool) {
        guard phase != .over else { return }
        phase = .over
        resources.loop.clearDeadline(self)
        connector = nil
        if orderly { stream?.release(keeps: true) } else { stream?.close() }
        stream = nil
        inner?.close()
        pool.ended(self)
    }
}
