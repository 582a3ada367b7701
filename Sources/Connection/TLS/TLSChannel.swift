import Core
import Glibc
import HTTP
import IO
import TLS

/// TLS on one socket: the session, and its ciphertext's way from and to the descriptor, which the caller owns and lends.
///
/// Every system call is made here, so that an exchange over TLS costs as many as one in clear: one read takes what the
/// socket has, one write everything that was encrypted meanwhile.
public final class TLSChannel {
    public let session: TLSSession
    /// The socket may have octets, or its end. Edge-triggered, as ``MessageStream/mayRead``; that one says whether there may
    /// be plaintext.
    public var socketMayHaveMore = true
    /// The peer has sent its FIN: a short read is not the end of what there is to learn.
    public var peerFinished = false
    /// What the peer's certificate says; asked for once, since the texts are made for it.
    public private(set) lazy var peerCertificate: PeerCertificate? = session.peerCertificate()

    public init(_ session: TLSSession) { self.session = session }

    /// Plaintext into the buffer's room. `endOfFile`: the peer said that this was all.
    public func receive(_ fd: CInt, into buffer: inout ByteBuffer, _ buffers: inout BufferPool) -> Transfer {
        while true {
            switch session.read(into: &buffer) {
            case .octets(let count):
                answer(fd)
                return .octets(count)
            case .closeNotify: return .endOfFile
            case .failed:
                guard session.failure?.kind != .truncated else { return .endOfFile }
                answer(fd)
                return .failed(.protocolBroken)
            case .wantsInput:
                answer(fd)
                guard socketMayHaveMore else { return .wouldBlock }
                switch pull(fd, &buffers) {
                case .octets: continue
                case .endOfFile: session.inputEnded()
                case .wouldBlock: return .wouldBlock
                case .failed(let error): return .failed(error)
                }
            }
        }
    }

    /// Reading can make the session speak: an alert, the answer to a key update. What the socket does not take now goes with
    /// the next write.
    private func answer(_ fd: CInt) {
        guard !session.pending.isEmpty else { return }
        var failure: Errno?
        _ = push(fd, failure: &failure)
    }

    /// The next read may find plaintext without a new event.
    public var mayHaveMore: Bool { socketMayHaveMore || session.hasUnreadInput }

    /// The end that ``receive(_:into:_:)`` told was not the peer's word (RFC 9112, section 9.8).
    public var isTruncated: Bool { session.failure?.kind == .truncated }

    /// Ciphertext from the socket: one read.
    public func pull(_ fd: CInt, _ buffers: inout BufferPool) -> Transfer {
        guard socketMayHaveMore else { return .wouldBlock }
        buffers.supply(&session.received)
        if session.received.start > 0 { session.received.compact() }
        // A record that does not fit a block: the largest is 16 KiB and a little more.
        if session.received.room == 0 { session.received.reserve(session.received.capacity * 2) }
        let result = SystemCalls.receive(fd, into: &session.received)
        switch result {
        case .octets: if session.received.room > 0, !peerFinished { socketMayHaveMore = false }
        case .wouldBlock: socketMayHaveMore = false
        case .endOfFile, .failed: break
        }
        return result
    }

    /// Sends what was encrypted. True: nothing waits any more.
    public func push(_ fd: CInt, failure: inout Errno?) -> Bool {
        while !session.pending.isEmpty {
            switch SystemCalls.send(fd, session.pending.view) {
            case .octets(let count): session.pending.consume(count)
            case .wouldBlock, .endOfFile: return false
            case .failed(let error):
                failure = error
                return false
            }
        }
        session.pending.clear()
        return true
    }
}

extension Errno {
    /// The peer broke TLS; the session's ``TLSSession/failure`` says how.
    static let protocolBroken = Errno(EPROTO)
}
