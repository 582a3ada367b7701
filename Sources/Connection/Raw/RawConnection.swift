import Core
import Glibc
import IO
import TLS

/// Who is told that octets could be moved on a connection on which no protocol is spoken here.
open class RawConnectionOwner: ConnectionOwner {
    open func ready(_ connection: RawConnection) {}
}

/// One connection whose octets are passed on as they come: either side of a relay below HTTP.
///
/// It keeps what epoll said, reads and writes when its owner says so, and closes. Owned by its ``RawConnectionOwner``.
public final class RawConnection: EventSource {
    public let resources: ConnectionResources
    public private(set) var fd: CInt
    /// Nil: octets pass as they come.
    public let tls: TLSChannel?
    private let owner: Unmanaged<RawConnectionOwner>
    /// The socket may have octets, or its end, for us. Edge-triggered: true until a read comes back short.
    public private(set) var mayRead = false
    /// The socket takes octets.
    public private(set) var mayWrite = false
    /// The peer has sent its FIN; what it sent before may still wait to be read.
    public private(set) var peerFinished = false
    /// The socket has an error, a reset for instance; what came before it may still wait to be read.
    public private(set) var hasError = false
    public private(set) var failure: Errno?
    /// Our FIN is sent.
    private var hasFinished = false
    /// One end of a ``SocketPair``: its other end closes for good only after both have finished, unless it breaks off.
    private let isPaired: Bool
    private var isCutOff = false

    /// Registers the descriptor with the loop.
    public init(adopting fd: consuming OwnedFD, owner: RawConnectionOwner, resources: ConnectionResources) {
        self.fd = fd.release()
        tls = nil
        isPaired = false
        self.owner = Unmanaged.passUnretained(owner)
        self.resources = resources
        super.init()
        resources.loop.add(self.fd, self)
    }

    /// Takes over a descriptor that is registered with the loop.
    /// - Parameters:
    ///   - tls: what the octets are inside of; nil: as they come.
    ///   - events: what was told of it so far.
    ///   - isPaired: it is the far end of a ``TunnelStream``, whose going before our FIN stands for a reset.
    public init(
        taking fd: CInt, tls: TLSChannel? = nil, events: ReadyEvents, isPaired: Bool = false,
        owner: RawConnectionOwner, resources: ConnectionResources
    ) {
        self.fd = fd
        self.isPaired = isPaired
        self.tls = tls
        self.owner = Unmanaged.passUnretained(owner)
        self.resources = resources
        super.init()
        resources.loop.replace(fd, self)
        note(events)
        // The handshake may have brought more than its end.
        if tls != nil { mayRead = true }
    }

    /// Takes over a connection that has just been made.
    public convenience init(_ connector: Connector, owner: RawConnectionOwner, resources: ConnectionResources) {
        let events = connector.events
        self.init(
            taking: connector.take(), tls: connector.channel, events: events, isPaired: connector.isTunnelled,
            owner: owner, resources: resources)
    }

    /// Takes over a connection whose TLS handshake is over, and which goes on inside of it.
    public convenience init(
        _ handshake: TLSHandshake, listenerIdentity: UInt64, owner: RawConnectionOwner, resources: ConnectionResources
    ) {
        // What the socket does not take after all, it says.
        let events = handshake.events.union(.writable)
        self.init(
            taking: handshake.take(listenerIdentity: listenerIdentity).fd, tls: handshake.channel, events: events,
            owner: owner, resources: resources)
    }

    deinit { precondition(fd < 0, "a connection went before it was closed") }

    public var isOpen: Bool { fd >= 0 }

    private func note(_ events: ReadyEvents) {
        if events.has(.anyForReading) {
            mayRead = true
            tls?.socketMayHaveMore = true
        }
        if events.has(.anyForWriting) { mayWrite = true }
        if events.has(.anyEnd) {
            peerFinished = true
            tls?.peerFinished = true
        }
        if events.has(.error) { hasError = true }
        if isPaired, events.has(.hungUp), !hasFinished {
            isCutOff = true
            hasError = true
        }
    }

    public override func ready(_ events: ReadyEvents) {
        guard fd >= 0 else { return }
        note(events)
        // Kept alive for the call, which may be its last.
        let held = owner.takeUnretainedValue()
        held.ready(self)
    }

    /// Where the connection arrived, or came from (getsockname(2)).
    public var localAddress: SocketAddress? { Socket.localAddress(fd) }

    // MARK: octets, for RawFlow

    /// Octets move through the kernel alone, without being seen.
    var isSpliceable: Bool { tls == nil }

    /// One read into the buffer, which has room.
    public func receive(into buffer: inout ByteBuffer) -> Transfer {
        if let tls {
            let result = tls.receive(fd, into: &buffer, &resources.buffers)
            if case .octets = result { mayRead = tls.mayHaveMore }
            return noteReading(result)
        }
        let result = SystemCalls.receive(fd, into: &buffer)
        // A short read emptied the socket; the next octets are a new edge. Not so once the FIN has been announced.
        if case .octets = result, buffer.room > 0, !peerFinished, !hasError { mayRead = false }
        return noteReading(result)
    }

    public func send(_ view: ByteView) -> Transfer {
        if let tls { return encrypt(view, tls) }
        let result = SystemCalls.send(fd, view)
        if case .octets(let count) = result, count < view.count { mayWrite = false }
        return noteWriting(result)
    }

    /// Everything that is encrypted is sent, or waits within the session's bound (``TLSLimits/pending``).
    private func encrypt(_ view: ByteView, _ tls: TLSChannel) -> Transfer {
        guard flush() else { return failure.map { .failed($0) } ?? .wouldBlock }
        let taken = tls.session.write(view)
        guard taken > 0 else {
            failure = .protocolBroken
            return .failed(.protocolBroken)
        }
        _ = flush()
        return failure.map { .failed($0) } ?? .octets(taken)
    }

    /// Sends what was encrypted. True: nothing waits any more.
    public func flush() -> Bool {
        guard let tls, !tls.session.pending.isEmpty else { return true }
        guard mayWrite else { return false }
        var failed: Errno?
        if tls.push(fd, failure: &failed) { return true }
        if let failed { failure = failed } else { mayWrite = false }
        return false
    }

    func spliceIn(_ pipe: Pipe) -> Transfer {
        noteReading(SystemCalls.splice(from: fd, to: pipe.writeEnd, length: pipe.capacity, more: false))
    }

    func spliceOut(_ pipe: Pipe) -> Transfer {
        noteWriting(SystemCalls.splice(from: pipe.readEnd, to: fd, length: pipe.level, more: false))
    }

    private func noteReading(_ result: Transfer) -> Transfer {
        switch result {
        case .octets: break
        case .wouldBlock: mayRead = false
        case .endOfFile:
            peerFinished = true
            if isCutOff {
                failure = Errno(ECONNRESET)
                return .failed(Errno(ECONNRESET))
            }
            // A FIN that the peer's TLS did not announce: anybody could have sent it (RFC 8446, section 6.1).
            if let tls, tls.isTruncated {
                failure = .protocolBroken
                return .failed(.protocolBroken)
            }
        case .failed(let error): failure = error
        }
        return result
    }

    private func noteWriting(_ result: Transfer) -> Transfer {
        switch result {
        case .octets: break
        case .wouldBlock, .endOfFile: mayWrite = false
        case .failed(let error): failure = error
        }
        return result
    }

    /// Our FIN: no more octets will be sent, while the peer may go on.
    ///
    /// Inside of TLS, its close_notify, and the FIN behind it once that is sent.
    /// - Returns: false: the socket does not take it now.
    func finishSending() -> Bool {
        tls?.session.closeNotify()
        guard flush() else { return failure != nil }
        hasFinished = true
        Socket.shutdownWrite(fd)
        return true
    }

    /// Nothing moves now: what is borrowed goes back.
    public func reclaimWhileQuiet() { tls?.session.releaseWhenIdle(to: &resources.buffers) }

    // MARK: ending

    public func close() {
        guard fd >= 0 else { return }
        resources.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        tls?.session.releaseWhenIdle(to: &resources.buffers)
    }

    /// As `close`, but the peer learns of it by a reset: what it was sent is not complete.
    public func abort() {
        guard fd >= 0 else { return }
        Socket.resetOnClose(fd)
        close()
    }
}
