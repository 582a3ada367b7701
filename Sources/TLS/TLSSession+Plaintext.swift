import COpenSSL
import Core

/// Octets in and out, and the end of either direction.
extension TLSSession {
    // MARK: plaintext

    /// Appends plaintext to `buffer` as long as its room and ``received`` last, several records at once; never makes
    /// the buffer grow. With room left afterwards, there is nothing more without new input.
    /// - Parameter buffer: not one of this session's own; with room.
    public func read(into buffer: inout ByteBuffer) -> ReadStep {
        hasUnreadInput = false
        if phase == .open, let records { return read(into: &buffer, by: records) }
        guard phase == .open, let ssl else { return failure.map { .failed($0) } ?? .wantsInput }
        var total = 0
        OpenSSLQueue.clear()
        while buffer.room > 0 {
            var count = 0
            let result = SSL_read_ex(ssl, buffer.writePointer, buffer.room, &count)
            if result == 1 {
                buffer.didWrite(count)
                total += count
                // Asking OpenSSL once more, only to hear that nothing is there, costs a good part of a small record.
                if received.isEmpty, SSL_pending(ssl) == 0, !hasInputEnded { return .octets(total) }
                continue
            }
            if SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN {
                guard total > 0 else { return .closeNotify }
                hasUnreadInput = true
                return .octets(total)
            }
            // A failure shows at the next call; what was read before it is good.
            let canGoOn = judge(result)
            if total > 0 {
                hasUnreadInput = !canGoOn
                return .octets(total)
            }
            return canGoOn ? .wantsInput : .failed(failure!)
        }
        hasUnreadInput = true
        return .octets(total)
    }

    private func read(into buffer: inout ByteBuffer, by records: ApplicationRecords) -> ReadStep {
        switch records.read(&received, into: &buffer, answering: &pending) {
        case .octets(let count):
            hasUnreadInput = buffer.room == 0 || records.hasMoreToTell
            return .octets(count)
        case .wantsInput where hasInputEnded:
            fail(.truncated, "the peer closed without a close_notify")
            return .failed(failure!)
        case .wantsInput: return .wantsInput
        case .closeNotify: return .closeNotify
        case .failed(let failure, let alert):
            if let alert { records.alert(alert, to: &pending) }
            self.failure = failure
            phase = .failed
            return .failed(failure)
        }
    }

    /// Encrypts what fits below ``TLSLimits/pending``, in records of up to ``TLSLimits/record``.
    /// - Returns: how many octets were taken; 0 also before the handshake's end, after ``closeNotify()`` and after a
    ///   failure.
    public func write(_ view: ByteView) -> Int {
        var taken = 0
        while taken < view.count {
            let size = min(view.count - taken, TLSLimits.record)
            guard pending.count + size + TLSLimits.recordOverhead <= TLSLimits.pending,
                seal(view[taken..<(taken + size)])
            else { break }
            taken += size
        }
        return taken
    }

    /// As ``write(_:)``, of two pieces one after the other: a head and its body go in one record when they fit in one.
    /// - Returns: how many octets of the two together were taken.
    public func write(_ first: ByteView, _ second: ByteView) -> Int {
        let count = first.count + second.count
        if phase == .open, !hasClosed, let records, count > 0, count <= TLSLimits.record,
            pending.count + count + TLSLimits.recordOverhead <= TLSLimits.pending
        {
            return seal(first, second, by: records) ? count : 0
        }
        guard let context, !first.isEmpty, !second.isEmpty, count <= TLSLimits.record else {
            let taken = write(first)
            return taken == first.count ? taken + write(second) : taken
        }
        context.scratch.clear()
        context.scratch.reserve(TLSLimits.record)
        context.scratch.append(first)
        context.scratch.append(second)
        return write(context.scratch.view)
    }

    private func seal(_ first: ByteView, _ second: ByteView, by records: ApplicationRecords) -> Bool {
        if records.write(first, second, to: &pending) { return true }
        fail(.local, "a record could not be sealed")
        return false
    }

    /// One record.
    private func seal(_ view: ByteView) -> Bool {
        if phase == .open, !hasClosed, let records { return seal(view, .empty, by: records) }
        guard phase == .open, !hasClosed, let ssl else { return false }
        OpenSSLQueue.clear()
        var count = 0
        let result = SSL_write_ex(ssl, view.base, view.count, &count)
        guard result == 1 else {
            _ = judge(result)
            return false
        }
        return true
    }

    /// Says that nothing more will be written (RFC 8446, section 6.1); reading may go on.
    public func closeNotify() {
        guard phase == .open, !hasClosed else { return }
        hasClosed = true
        if let records { records.alert(0, to: &pending) }
        guard let ssl else { return }
        OpenSSLQueue.clear()
        _ = SSL_shutdown(ssl)
        OpenSSLQueue.clear()
    }

    /// The transport will bring nothing more. Without a close_notify before, the next ``read(into:)`` or
    /// ``handshake()`` that comes to the end of ``received`` fails with ``TLSFailure/Kind/truncated``.
    public func inputEnded() { hasInputEnded = true }

    /// - Returns: whether the connection only waits for input; otherwise ``failure`` is set.
    func judge(_ result: CInt) -> Bool {
        guard let ssl else { return false }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return true
        case SSL_ERROR_WANT_WRITE: fail(.overflow, "the peer does not read what it makes us say")
        case SSL_ERROR_ZERO_RETURN: fail(.truncated, "the peer closed during the handshake")
        case SSL_ERROR_SYSCALL where hasInputEnded: fail(.truncated, "the peer closed without a close_notify")
        default:
            failure = TLSFailure.fromQueue(verification: SSL_get_verify_result(ssl), peerRefusal: peerRefusal)
            phase = .failed
        }
        return false
    }

    func fail(_ kind: TLSFailure.Kind, _ text: String) {
        failure = TLSFailure(kind, text)
        phase = .failed
    }
}
