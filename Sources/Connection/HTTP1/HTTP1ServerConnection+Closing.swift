import Core
import HTTP
import IO

/// How a downstream connection closes: at once, or so that its last response arrives.
extension HTTP1ServerConnection {
    /// Our FIN first, then whatever the peer still sends is read and dropped for a while: closing with octets unread
    /// would send a reset, which can destroy the response on its way (RFC 9112, section 9.6).
    func closeGently() {
        guard mayRead || !input.isEmpty || !incoming.isComplete || peerFinished == false else { return lost() }
        phase = .lingering
        wire.finishSending(self)
        input.clear()
        pinned = 0
        resources.loop.setDeadline(self, resources.loop.now + terms.limits.lingering)
        linger()
    }

    func linger() {
        while phase == .lingering {
            input.clear()
            switch fill() {
            case .more:
                lingered += input.count
                if lingered > Self.lingeringOctets { return lost() }
            case .nothing:
                input.clear()
                reclaimMemory()
                return
            case .full: preconditionFailure("an empty input is full")
            case .endOfFile, .failed: return lost()
            }
        }
    }

    /// The connection is over: closed, and the owner told.
    func lost() {
        guard phase != .closed else { return }
        close()
        acceptor.closed(self)
    }

    private func close() {
        phase = .closed
        if let request = request.take() { resources.giveBack(request) }
        wire.close(self)
    }
}
